import DiffNNP

/// Sums the functions of a `LinearBasis` over all atoms of configurations: the derivatives of a linear potential's
/// energy with respect to its coefficients. Holds the buffers of one thread.
final class FunctionCounter {
  private let basis: LinearBasis
  private let search = NeighbourSearch()
  private let edges = EdgeList()
  private let moments: Values<Double>
  /// Halves of products [type][l][p][q].
  private let halves: Values<Double>
  private let harmonics = Values<Double>(16)
  private let functions: Values<Double>

  init(_ basis: LinearBasis) {
    self.basis = basis
    moments = Values(basis.triplets?.momentCount ?? 0)
    halves = Values((basis.triplets?.typeCount ?? 0) * (basis.triplets?.halfCount ?? 0))
    functions = Values(basis.count)
  }

  /// The sums over a configuration [count].
  func sums(_ configuration: Configuration) throws -> [Double] {
    try search.fill(edges, configuration, cutoff: basis.rMax)
    functions.clear(basis.count)
    for i in 0..<edges.centreCount { addPairs(of: i) }
    if let triplets = basis.triplets { addTriplets(triplets) }
    return (0..<basis.count).map { functions.start[$0] }
  }

  private func addPairs(of i: Int) {
    let pairs = basis.pairs
    let inverseSpacing = 1 / pairs.spacing
    let type = Int(edges.types[i])
    // Both directions of a pair are edges, so that each counts half.
    for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.lengths[e] < pairs.rMax {
      let p = TypePairs.index(type, Int(edges.types[Int(edges.neighbours[e])]), typeCount: pairs.typeCount)
      pairs.add(0.5, pair: p, at: edges.lengths[e], inverseSpacing, to: functions.start)
    }
  }

  private func addTriplets(_ triplets: TripletBasis) {
    halves.clear(triplets.typeCount * triplets.halfCount)
    for i in 0..<edges.centreCount {
      triplets.describe(i, edges, into: moments.start, harmonics.start)
      triplets.addHalves(of: moments.start, to: halves.start + Int(edges.types[i]) * triplets.halfCount)
    }
    for type in 0..<triplets.typeCount {
      triplets.fold(
        halves.start + type * triplets.halfCount,
        into: functions.start + basis.pairs.count + type * triplets.productCount)
    }
  }
}
