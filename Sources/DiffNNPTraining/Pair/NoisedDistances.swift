#if canImport(Glibc)
  import Glibc
#endif
import DiffNNP

/// Histograms of pair distances, and what they become under noise: exactly, without drawing any.
///
/// Noise on both atoms moves r⃗ by √2 σ η, so the distance r' of a pair once at r has the density
///   p(r' | r) = r' / (r s √2π) · [exp(-(r'-r)²/2s²) - exp(-(r'+r)²/2s²)],  s = √2 σ.
/// That makes E_ε[Δu(x + σε)] of a pair potential a sum over the noised histogram: no label noise is left in it.
struct NoisedDistances {
  /// Width of a bin (Å).
  static let width = 0.005
  /// Standard deviations of the displacement that are followed.
  static let reach = 5.5

  let basis: PairBasis
  let binCount: Int
  /// Directed pairs in each bin [pair][bin].
  private(set) var counts: [Double]

  /// Empty histograms for noise up to `largestSigma` (Å).
  init(_ basis: PairBasis, largestSigma: Double) {
    self.basis = basis
    binCount = Int((Self.cutoff(basis, largestSigma: largestSigma) / Self.width).rounded(.up)) + 1
    counts = Array(repeating: 0, count: basis.pairCount * binCount)
  }

  /// Distance up to which pairs matter (Å): those beyond rMax may come inside.
  static func cutoff(_ basis: PairBasis, largestSigma: Double) -> Double {
    basis.rMax + reach * largestSigma * 2.0.squareRoot()
  }

  /// Histograms of given counts [pair][bin].
  init(_ basis: PairBasis, counts: [Double]) {
    self.basis = basis
    self.counts = counts
    binCount = counts.count / basis.pairCount
  }

  /// Adds the pairs of a frame. Images of one atom do not move against it and are left out.
  mutating func add(_ edges: EdgeList) {
    for i in 0..<edges.centreCount {
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.neighbours[e] != Int32(i) {
        let j = Int(edges.neighbours[e])
        let pair = TypePairs.index(Int(edges.types[i]), Int(edges.types[j]), typeCount: basis.typeCount)
        let bin = Int(edges.lengths[e] / Self.width)
        if bin < binCount { counts[pair * binCount + bin] += 1 }
      }
    }
  }

  /// The smallest distance (Å) of each pair of types that is connected with all larger ones: what lies beyond a gap of
  /// over `gap` Å is a trap that frames fell into, or an error, and no data say how far apart it is in energy. Infinite
  /// for pairs that never come within rMax.
  ///
  /// Few frames may show nothing between a contact and a solvent-separated well, an Å apart: the gap of a trap is
  /// wider. It means something only where distances beside it are many: at least `neighbours` within another `gap` Å.
  static func smallestConnected(
    _ parts: [NoisedDistances], gap: Double = 1.5, neighbours: Double = 20
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

  /// h_k = E[Σ_i Δ_i φ_k(y)] summed over the frames, at noise `sigma` (Å).
  func laplacians(sigma: Double) -> [Double] {
    let inverse = 1 / basis.spacing
    var sums = Array(repeating: 0.0, count: basis.paddedCount)
    for pair in 0..<basis.pairCount {
      let noised = noised(pair, sigma: sigma)
      for bin in 0..<noised.count where noised[bin] != 0 {
        let r = (Double(bin) + 0.5) * Self.width
        let (first, t) = basis.locate(pair: pair, r, inverse)
        let laplacian =
          CubicBSpline.curvature(t) * (inverse * inverse) + CubicBSpline.basis(t).slope * (2 * inverse / r)
        for k in 0..<4 { sums[first + k] += noised[bin] * laplacian[k] }
      }
    }
    return basis.kept.map { sums[$0] }
  }

  /// The histogram of noised distances below rMax.
  private func noised(_ pair: Int, sigma: Double) -> [Double] {
    let inside = min(Int(basis.rMax / Self.width), binCount)
    let row = Array(counts[pair * binCount..<(pair + 1) * binCount])
    guard sigma > 0 else { return Array(row[..<inside]) }
    let s = sigma * 2.0.squareRoot()
    let reach = Int(Self.reach * s / Self.width) + 1
    let gaussian = (0...2 * binCount).map { k -> Double in
      let d = Double(k) * Self.width / s
      return exp(-0.5 * d * d) * Self.width / (s * (2 * Double.pi).squareRoot())
    }
    var result = Array(repeating: 0.0, count: inside)
    for from in 0..<binCount where row[from] != 0 {
      let scaled = row[from] / (Double(from) + 0.5)
      for to in max(0, from - reach)..<max(min(inside, from + reach + 1), max(0, from - reach)) {
        result[to] += scaled * (Double(to) + 0.5) * (gaussian[abs(to - from)] - gaussian[to + from + 1])
      }
    }
    return result
  }
}
