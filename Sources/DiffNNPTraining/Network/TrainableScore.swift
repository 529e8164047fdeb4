import DiffNNP

/// Computes scores of configurations for base potentials (pairs, perhaps triplets, and a known part) and, if there is
/// one, a network that is trained, and the derivatives of objectives and energies with respect to the network. Holds
/// the buffers of one thread.
final class TrainableScore {
  private let network: (worker: TrainableNetwork.Worker, cutoff: Double)?
  private let search = NeighbourSearch()
  private let networkEdges = EdgeList()
  private let baseEdges = EdgeList()
  private var baseEvaluators: [Evaluator] = []
  private var baseForces: [Double] = []

  /// The network's parameters may change between evaluations.
  init(_ network: TrainableNetwork?) {
    self.network = network.map { ($0.makeWorker(), $0.architecture.rMax) }
  }

  /// The score -∇u (1/Å).
  /// - Parameter bases: potentials that the network adds to, in units of kT.
  func evaluate(_ configuration: Configuration, bases: [Potential], into score: inout [SIMD3<Double>]) throws {
    try setBaseScore(configuration, bases, &score)
    guard let network else { return }
    try search.fill(networkEdges, configuration, cutoff: network.cutoff)
    _ = network.worker.addForces(networkEdges, to: &score)
  }

  /// For the configuration evaluated last: clears `gradient`, and puts in it the derivative along `directions` w of
  /// ∂u/∂θ, which is -∂(Σ w·s)/∂θ.
  func differentiate(directions: [SIMD3<Double>], into gradient: TrainableNetwork.Gradient) {
    network?.worker.differentiate(networkEdges, directions: directions, into: gradient)
  }

  /// Clears `gradient`, and puts in it `weight` times ∂u/∂θ at a configuration.
  func differentiateEnergy(
    _ configuration: Configuration, weight: Double, into gradient: TrainableNetwork.Gradient
  ) throws {
    guard let network else { return }
    try search.fill(networkEdges, configuration, cutoff: network.cutoff)
    network.worker.differentiateEnergy(networkEdges, weight: weight, into: gradient)
  }

  private func setBaseScore(
    _ configuration: Configuration, _ bases: [Potential], _ score: inout [SIMD3<Double>]
  ) throws {
    let n = configuration.positions.count
    score.removeAll(keepingCapacity: true)
    score.append(contentsOf: repeatElement(.zero, count: n))
    if baseEvaluators.map({ ObjectIdentifier($0.potential) }) != bases.map({ ObjectIdentifier($0) }) {
      baseEvaluators = bases.map { Evaluator($0) }
    }
    if baseForces.count != 3 * n { baseForces = Array(repeating: 0, count: 3 * n) }
    for evaluator in baseEvaluators {
      let base = evaluator.potential
      try search.fill(baseEdges, configuration, cutoff: base.rMax)
      baseForces.withUnsafeMutableBufferPointer {
        _ = evaluator.compute(
          baseEdges, folding: base.isManyBody ? .neighbours : .centres, into: .init(forces: $0.baseAddress!))
      }
      for i in 0..<n { score[i] += [baseForces[3 * i], baseForces[3 * i + 1], baseForces[3 * i + 2]] }
    }
  }
}
