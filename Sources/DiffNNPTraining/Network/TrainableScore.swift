import DiffNNP

/// Scores of configurations under a pair term that is kept and a network that learns, and the derivatives of their
/// objectives and energies. Holds the buffers of one thread.
final class TrainableScore {
  private let worker: TrainableNetwork.Worker
  private let networkCutoff: Double
  private let search = NeighbourSearch()
  private let networkEdges = EdgeList()
  private let pairEdges = EdgeList()
  private var pairEvaluator: Evaluator?
  private var pairForces: [Double] = []

  /// The network's parameters may change between evaluations.
  init(_ network: TrainableNetwork) {
    worker = network.makeWorker()
    networkCutoff = network.architecture.rMax
  }

  /// The score -∇u (1/Å).
  /// - Parameter pair: the pair term, in units of kT.
  func evaluate(_ configuration: Configuration, pair: Potential?, into score: inout [SIMD3<Double>]) throws {
    try search.fill(networkEdges, configuration, cutoff: networkCutoff)
    try setPairScore(configuration, pair, &score)
    _ = worker.addForces(networkEdges, to: &score)
  }

  /// For the configuration evaluated last: clears `gradient`, and puts in it the derivative along `directions` w of
  /// ∂u/∂θ, which is -∂(Σ w·s)/∂θ.
  func differentiate(directions: [SIMD3<Double>], into gradient: TrainableNetwork.Gradient) {
    worker.differentiate(networkEdges, directions: directions, into: gradient)
  }

  /// Clears `gradient`, and puts in it `weight` times ∂u/∂θ at a configuration.
  func differentiateEnergy(
    _ configuration: Configuration, weight: Double, into gradient: TrainableNetwork.Gradient
  ) throws {
    try search.fill(networkEdges, configuration, cutoff: networkCutoff)
    worker.differentiateEnergy(networkEdges, weight: weight, into: gradient)
  }

  private func setPairScore(
    _ configuration: Configuration, _ pair: Potential?, _ score: inout [SIMD3<Double>]
  ) throws {
    let n = configuration.positions.count
    guard let pair else {
      score = Array(repeating: .zero, count: n)
      return
    }
    try search.fill(pairEdges, configuration, cutoff: pair.rMax)
    let evaluator = pairEvaluator.flatMap { $0.potential === pair ? $0 : nil } ?? Evaluator(pair)
    pairEvaluator = evaluator
    if pairForces.count != 3 * n { pairForces = Array(repeating: 0, count: 3 * n) }
    pairForces.withUnsafeMutableBufferPointer {
      _ = evaluator.compute(pairEdges, folding: .centres, into: .init(forces: $0.baseAddress!))
    }
    if score.count != n { score = Array(repeating: .zero, count: n) }
    for i in 0..<n { score[i] = [pairForces[3 * i], pairForces[3 * i + 1], pairForces[3 * i + 2]] }
  }
}
