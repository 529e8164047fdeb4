import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// Refines a network by maximum likelihood: the gradient of the mean of -log p(data) is the mean of ∂u/∂θ over the data
/// less its mean over configurations of the model itself, which Langevin chains supply, each going on from where the last
/// step left it (persistent contrastive divergence: Tieleman, ICML 2008; in coarse graining, relative entropy minimisation:
/// Shell, J. Chem. Phys. 129, 144108).
///
/// Scores are local: they see slopes, and hardly the weight of one structure against another. Likelihoods see just that.
public final class LikelihoodRefinement {
  private let network: TrainableNetwork
  private let pair: Potential?
  private let frames: [Frame]
  private let threads: Int
  private let settings: Settings
  private let timeStep: Double
  private var parameters: [Double]
  private var optimiser: Adam
  private var chains: [LangevinChain] = []
  private var models: [TrainableScore] = []
  private var gradients: [TrainableNetwork.Gradient] = []
  private var random: Philox

  public struct Settings: Sendable {
    public var steps = 300
    public var chains = 4
    public var stride = 20
    public var learningRate = 1e-3
    public var averaging = 0.99
    public init() {}
  }

  /// - Parameter curvature: mean curvature of the potential along a coordinate (kT/Å²), which sets the time step.
  public init(
    _ settings: Settings, _ architecture: NetworkArchitecture, parameters: [Double], pair: Potential?, frames: [Frame],
    curvature: Double, seed: UInt64, threads: Int
  ) throws {
    self.settings = settings
    self.parameters = parameters
    self.pair = pair
    self.frames = frames
    self.threads = threads
    network = try TrainableNetwork(architecture)
    optimiser = Adam(parameters)
    timeStep = 0.1 / curvature.squareRoot()
    random = Philox(seed: seed, purpose: .likelihood, frame: 0)
    for k in 0..<settings.chains {
      chains.append(
        LangevinChain(
          frames[k * frames.count / settings.chains].configuration,
          random: Philox(seed: seed, purpose: .likelihood, frame: k, stream: 1)))
    }
    for _ in 0..<2 * settings.chains {
      models.append(TrainableScore(network))
      gradients.append(network.makeGradient())
    }
  }

  public var step: Int { optimiser.step }
  public var isFinished: Bool { step >= settings.steps }
  public var gap = 0.0
  public var configurations: [Configuration] { chains.map(\.configuration) }

  public func advance() throws {
    network.set(parameters)
    let n = settings.chains
    let sampled = (0..<n).map { _ in frames[Int.random(in: frames.indices, using: &random)].configuration }
    let moved = try Parallel.map(n, threads: threads) { k in
      var chain = chains[k]
      let fine = try chain.advance(settings.stride, timeStep: timeStep, friction: 0.05) {
        try models[k].evaluate($0, pair: pair, into: &$1)
      }
      return (chain, fine)
    }
    for k in 0..<n { chains[k] = moved[k].0; if !moved[k].1 { print("chain \(k) failed at step \(step)") } }
    var scores: [[SIMD3<Double>]] = Array(repeating: [], count: 2 * n)
    _ = scores.count
    let weight = 1 / Double(n)
    _ = try Parallel.map(2 * n, threads: threads) { k in
      var score: [SIMD3<Double>] = []
      if k >= n { try models[k].evaluate(sampled[k - n], pair: pair, into: &score) }
      let atoms = Double(chains[k % n].configuration.positions.count)
      models[k].differentiateEnergy(weight: (k < n ? -weight : weight) / atoms, into: gradients[k])
      return 0
    }
    scores.removeAll()
    let gradient = network.parameterGradient(gradients)
    let rate = settings.learningRate * 0.5 * (1 + cos(Double.pi * Double(step) / Double(settings.steps)))
    optimiser.update(&parameters, gradient: gradient, learningRate: rate, averaging: settings.averaging)
  }

  public func result() throws -> Network { try Network(network.architecture, parameters: optimiser.average) }
}
