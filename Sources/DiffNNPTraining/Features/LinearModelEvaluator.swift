import DiffNNP

/// Computes all functions of a linear model, and its known part: their values as one atom moves, their gradients, and
/// their sums over a configuration. Holds the buffers of one thread.
package final class LinearModelEvaluator {
  /// The functions.
  package let model: LinearModel
  /// Largest displacement of an atom (Å).
  private let reach: Double
  private let evaluators: [any FeatureEvaluating]
  private let known: (any KnownPartEvaluating)?
  private let search = NeighbourSearch()
  /// Edges of the configuration, up to the sum of cutoff and reach.
  package let edges = EdgeList()
  /// The atoms around the one that is removed.
  private let nearby = NearbyAtoms()

  /// An evaluator for moves of atoms by up to `reach` (Å).
  package init(_ model: LinearModel, reach: Double = 0) {
    (self.model, self.reach) = (model, reach)
    evaluators = model.features.map { $0.makeEvaluator() }
    known = model.known?.makeEvaluator()
  }

  /// Begins a configuration.
  /// - Throws: where neighbours cannot be found.
  package func begin(_ configuration: Configuration) throws {
    try search.fill(edges, configuration, cutoff: model.rMax + reach)
    for evaluator in evaluators { evaluator.begin(configuration, edges) }
    known?.begin(configuration, edges)
  }

  // MARK: Moves of an atom

  /// Removes atom i, so that it can be put at other points.
  package func remove(_ i: Int) { for evaluator in evaluators { evaluator.remove(i) } }

  /// Undoes `remove`.
  package func restore(_ i: Int) { for evaluator in evaluators { evaluator.restore(i) } }

  /// Collects the neighbours of atom i, which has been removed, for points within `distance` (Å) of its position.
  package func gather(about i: Int, within distance: Double) {
    assert(distance <= reach, "points are farther than the edges reach")
    nearby.gather(i, edges, within: model.rMax + distance)
  }

  /// Writes by how much all functions [count] grow when atom i, which has been removed, is put at `displacement` (Å)
  /// from its position. Pairs of the atom with its own images are left out, as they are the same everywhere.
  /// - Returns: by how much the known part grows (kT), up to a constant.
  package func put(_ i: Int, _ displacement: SIMD3<Double>, into f: UnsafeMutablePointer<Double>) -> Double {
    let near = nearby.find(within: model.rMax, of: displacement)
    for (k, evaluator) in evaluators.enumerated() {
      evaluator.put(i, displacement, near, into: f + model.offsets[k])
    }
    return known?.energy(of: i, displacement, near) ?? 0
  }

  // MARK: Gradients and sums

  /// Writes the gradients of all functions with respect to the position of atom i (1/Å) [3][count].
  /// - Returns: the gradient of the known part (kT/Å).
  package func gradients(of i: Int, into f: UnsafeMutablePointer<Double>) -> SIMD3<Double> {
    for (k, evaluator) in evaluators.enumerated() {
      evaluator.gradients(of: i, into: f + model.offsets[k], stride: model.count)
    }
    return known?.gradient(of: i) ?? .zero
  }

  /// The sums of all functions over a configuration [count].
  /// - Throws: where neighbours cannot be found.
  package func sums(_ configuration: Configuration) throws -> [Double] {
    try begin(configuration)
    return Array(unsafeUninitializedCapacity: model.count) { sums, count in
      for (k, evaluator) in evaluators.enumerated() { evaluator.sums(into: sums.baseAddress! + model.offsets[k]) }
      count = model.count
    }
  }
}
