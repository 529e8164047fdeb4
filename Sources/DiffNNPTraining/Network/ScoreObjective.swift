import DiffNNP
import DiffNNPFrames

/// The denoising objective of one noised configuration, for a pair term that is kept and a network that learns.
///
/// With y = x ± σε and s = F/kT the score, L = ½|s(y)|² ± ε·s(y)/σ: the mean of both signs is the antithetic
/// objective without its constant, which stays finite as σ → 0, where it is Hyvärinen's with one Hutchinson probe.
final class ScoreObjective {
  /// What one noised configuration gives.
  struct Item {
    var frame: Frame
    /// Standard normal, [atoms].
    var noise: [SIMD3<Double>]
    /// +1 or -1.
    var sign: Double
    var sigma: Double
  }

  private let worker: TrainableNetwork.Worker
  private let networkCutoff: Double
  private let search = NeighbourSearch()
  private let networkEdges = EdgeList()
  private let pairEdges = EdgeList()

  init(_ network: TrainableNetwork) {
    worker = network.makeWorker()
    networkCutoff = network.architecture.rMax
  }

  /// The objective for an atom. Where `gradient` is given, it receives the gradient of `weight` times that.
  /// - Parameter pair: evaluator of the pair term at the item's noise level, in units of kT.
  func evaluate(
    _ item: Item, pair: Evaluator?, weight: Double = 1, gradient: TrainableNetwork.Gradient? = nil
  ) throws -> Double {
    let shift = item.sign * item.sigma
    let positions = zip(item.frame.positions, item.noise).map { $0 + shift * $1 }
    let configuration = Configuration(cell: item.frame.cell, positions: positions, types: item.frame.types)
    try search.fill(networkEdges, configuration, cutoff: networkCutoff)
    var score = try pairScore(configuration, pair)
    _ = worker.addForces(networkEdges, to: &score)

    let count = Double(positions.count)
    let perSigma = item.sign / item.sigma
    var sum = 0.0
    for i in score.indices { sum += dot(score[i], 0.5 * score[i] + perSigma * item.noise[i]) }
    if let gradient {
      // dL/dθ = Σ w·∂s/∂θ with w = s ± ε/σ; forces are minus the energy's derivative, hence the sign.
      let factor = -weight / count
      let directions = score.indices.map { factor * (score[$0] + perSigma * item.noise[$0]) }
      worker.differentiate(networkEdges, directions: directions, into: gradient)
    }
    return sum / count
  }

  private func pairScore(_ configuration: Configuration, _ pair: Evaluator?) throws -> [SIMD3<Double>] {
    let n = configuration.positions.count
    guard let pair else { return Array(repeating: .zero, count: n) }
    try search.fill(pairEdges, configuration, cutoff: pair.potential.rMax)
    var forces = [Double](repeating: 0, count: 3 * n)
    forces.withUnsafeMutableBufferPointer {
      _ = pair.compute(pairEdges, folding: .centres, into: .init(forces: $0.baseAddress!))
    }
    return (0..<n).map { [forces[3 * $0], forces[3 * $0 + 1], forces[3 * $0 + 2]] }
  }
}
