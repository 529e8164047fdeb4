import DiffNNP

/// Histograms of pair distances.
package struct DistanceHistograms {
  /// Width of a bin (Å).
  package static let width = 0.005

  /// The basis that defines pairs of types and cutoff.
  package let basis: PairBasis
  /// Number of bins for each pair of types.
  package let binCount: Int
  /// Directed pairs in each bin [pair][bin].
  package private(set) var counts: [Double]

  /// Empty histograms up to a distance (Å), that of the basis where none is given.
  package init(_ basis: PairBasis, upTo distance: Double? = nil) {
    self.basis = basis
    binCount = Int(((distance ?? basis.rMax) / Self.width).rounded(.up)) + 1
    counts = Array(repeating: 0, count: basis.pairCount * binCount)
  }

  /// Histograms of given counts [pair][bin].
  package init(_ basis: PairBasis, counts: [Double]) {
    self.basis = basis
    self.counts = counts
    binCount = counts.count / basis.pairCount
  }

  /// Adds the pairs of a frame. Pairs of an atom and its own images, whose distances are fixed, are left out.
  package mutating func add(_ edges: EdgeList) {
    for i in 0..<edges.centreCount {
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.neighbours[e] != Int32(i) {
        let bin = Int(edges.lengths[e] / Self.width)
        if bin < binCount { counts[basis.pair(i, e, edges) * binCount + bin] += 1 }
      }
    }
  }

  /// The smallest distance (Å) of each pair of types that no gap wider than `gap` Å separates from larger ones.
  /// Distances below such a gap are those of a trap that frames fell into, or errors, and the data do not determine
  /// their energy relative to the others. Infinite for pairs that never come within rMax.
  ///
  /// Few frames may have no distances between a contact and a solvent-separated well, an Å apart: the gap of a trap is
  /// wider. It counts only where distances just above it are frequent: at least `neighbours` within another `gap` Å.
  package static func smallestConnected(
    _ parts: [DistanceHistograms], gap: Double = 1.5, neighbours: Double = 20
  ) -> [Double] {
    let (basis, binCount) = (parts[0].basis, parts[0].binCount)
    let gapBins = Int((gap / width).rounded())
    return (0..<basis.pairCount).map { pair in
      let counts = (0..<binCount).map { bin in parts.reduce(0.0) { $0 + Double($1.counts[pair * binCount + bin]) } }
      var smallest = binCount
      for bin in stride(from: binCount - 1, through: 0, by: -1) where counts[bin] > 0 {
        let isBeyondGap = smallest - bin > gapBins && smallest < binCount
        if isBeyondGap, counts[smallest..<min(smallest + gapBins, binCount)].reduce(0, +) >= neighbours { break }
        smallest = bin
      }
      let distance = Double(smallest) * width
      return distance < basis.rMax ? distance : .infinity
    }
  }
}
