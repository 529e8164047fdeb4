import DiffNNP

/// Moves one atom: z is uniformly distributed in a ball around its position.
struct AtomMove: Move {
  /// Radii of the balls (Å), used in turn: small ones for sharp wells in dense liquids, large ones across barriers.
  var radii = [0.75, 1.5, 3.0]
  /// Smallest regular distances (Å) [pair of types]. Atoms closer to a neighbour are trapped, or errors, and have no
  /// choices: no finite energy would explain their positions.
  let smallestDistances: [Double]
  let typeCount: Int

  /// The point z is up to a radius away, and candidates are up to a radius from there.
  var reach: Double { 2 * (radii.max() ?? 0) }

  func subjectCount(atomCount: Int) -> Int { atomCount }

  func begin(_ i: Int, _ evaluator: LinearModelEvaluator) -> Bool {
    if isTrapped(i, evaluator.edges) { return false }
    evaluator.remove(i)
    return true
  }

  func end(_ i: Int, _ evaluator: LinearModelEvaluator) { evaluator.restore(i) }

  private func isTrapped(_ i: Int, _ edges: EdgeList) -> Bool {
    (Int(edges.offsets[i])..<Int(edges.offsets[i + 1])).contains { e in
      let pair = TypePairs.index(
        Int(edges.types[i]), Int(edges.types[Int(edges.neighbours[e])]), typeCount: typeCount)
      return edges.lengths[e] < smallestDistances[pair]
    }
  }

  func draw(
    _ i: Int, turn: Int, _ evaluator: LinearModelEvaluator, into candidates: inout Candidates,
    using random: inout Philox
  ) {
    let radius = radii[turn % radii.count]
    evaluator.gather(about: i, within: 2 * radius)
    let noised = radius * random.inBall()
    for k in 0..<candidates.count {
      let displacement = k == 0 ? SIMD3<Double>.zero : noised + radius * random.inBall()
      candidates.energies[k] = evaluator.put(i, displacement, into: candidates.functions(k))
    }
  }
}
