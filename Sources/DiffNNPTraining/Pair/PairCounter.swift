import DiffNNP

/// Counts pairs by distance with the functions of a pair basis: Σ B_k(r) over all pairs, the derivatives of a pair
/// potential's energy with respect to its coefficients.
struct PairCounter {
  private let basis: PairBasis
  private let search = NeighbourSearch()
  private let edges = EdgeList()

  init(_ basis: PairBasis) { self.basis = basis }

  /// Adds the pairs of a configuration to `counts` [pair][interval].
  func add(_ configuration: Configuration, to counts: inout [Double]) throws {
    try search.fill(edges, configuration, cutoff: basis.rMax)
    let types = configuration.types
    let inverseSpacing = 1 / basis.spacing
    var padded = [Double](repeating: 0, count: basis.paddedCount)
    for i in 0..<edges.centreCount {
      // Both directions of a pair are edges, so that each counts half.
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.lengths[e] < basis.rMax {
        let p = PairTerm.pairIndex(types[i], types[Int(edges.neighbours[e])], typeCount: basis.typeCount)
        let (first, t) = basis.locate(pair: p, edges.lengths[e], inverseSpacing)
        let values = CubicBSpline.basis(t).value
        for k in 0..<4 { padded[first + k] += 0.5 * values[k] }
      }
    }
    for (k, f) in basis.kept.enumerated() { counts[k] += padded[f] }
  }
}
