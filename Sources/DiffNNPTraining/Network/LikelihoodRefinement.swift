import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// Refines a pair term and a network by maximum likelihood. The gradient of the mean of -log p(data) is the mean of ∂u/∂θ
/// over the data less its mean over configurations of the model itself. These come from Langevin chains that start in
/// frames of the data, and go on in each step from where the last one left them (persistent contrastive divergence:
/// Tieleman, ICML 2008; in coarse graining, minimisation of the relative entropy: Shell, J. Chem. Phys. 129, 144108).
///
/// Scores are slopes: they say little about the weight of one structure against another, and small errors of them add up.
/// The likelihood sees the structure itself. From scores it starts so close that minutes of chains are enough.
public final class LikelihoodRefinement {
  /// What a step gave.
  public struct Report: Sendable {
    public var step: Int
    /// Mean of |n/n_data - 1| over the pair functions that the data hold, where n counts pairs in the chains, as a running
    /// mean over steps.
    public var pairDifference: Double
    /// Chains begun anew so far, because an atom of theirs moved absurdly fast.
    public var restarts: Int
  }

  public let steps: Int
  public var step: Int { state.optimiser.step }
  public var isFinished: Bool { step >= steps }

  private let settings: NetworkSettings
  private let network: TrainableNetwork
  private let typeNames: [String]
  private let frames: [Frame]
  private let threads: Int
  private let basis: PairBasis
  private let startingPair: [Double]
  /// Mean numbers of pairs in the data, for a frame [pair][interval]; zero where there are too few to learn from.
  private let pairCounts: [Double]
  /// Of each type (kT/Å²).
  private var masses: [Double] = []
  private var models: [TrainableScore] = []
  private var gradients: [TrainableNetwork.Gradient] = []
  private(set) var state: LikelihoodState

  /// Chains; as many frames of the data enter each step.
  private static let chainCount = 4
  /// Steps of a chain between two steps of the optimiser.
  private static let stride = 20
  private static let averaging = 0.98
  /// Share of log(n/n_data) by which a step corrects the pair term at first.
  private static let pairRate = 0.02
  /// Pair functions with fewer pairs in all frames stay as they are.
  private static let fewestPairs = 100.0

  /// - Parameters:
  ///   - trainer: one that is finished.
  ///   - pair: the fit whose pair term, as it is run, the network adds to.
  public init(
    after trainer: NetworkTrainer, pair: PairFit.Result, trajectory: Trajectory, threads: Int
  ) throws {
    let (settings, parameters) = (trainer.settings, trainer.bestParameters)
    self.settings = settings
    steps = settings.likelihoodSteps
    typeNames = trajectory.typeNames
    frames = trajectory.frames
    self.threads = threads
    basis = pair.basis
    startingPair = pair.coefficients(sigma: pair.sigma)
    network = try TrainableNetwork(trainer.architecture)
    network.set(parameters)
    let counter = PairCounter(basis)
    var counts = [Double](repeating: 0, count: basis.count)
    for frame in frames { try counter.add(frame.configuration, to: &counts) }
    let count = Double(frames.count)
    pairCounts = counts.map { $0 < Self.fewestPairs ? 0 : $0 / count }
    let starts = (0..<Self.chainCount).map { $0 * trajectory.frames.count / Self.chainCount }
    state = LikelihoodState(
      parameters: parameters, pairCount: basis.count, starts: starts,
      chains: starts.map { LangevinChain(trajectory.frames[$0].configuration.positions) })
    for _ in 0..<2 * Self.chainCount {
      models.append(TrainableScore(network))
      gradients.append(network.makeGradient())
    }
    masses = try meanCurvatures()
  }

  /// Mean squares of the score along a coordinate for each type, which for the model's own configurations are the mean
  /// curvatures.
  private func meanCurvatures() throws -> [Double] {
    let pair = try pairPotential(state.pairCorrection)
    var sums = [Double](repeating: 0, count: typeNames.count)
    var counts = sums
    var score: [SIMD3<Double>] = []
    for k in state.starts {
      let configuration = frames[k].configuration
      try models[0].evaluate(configuration, pair: pair, into: &score)
      for i in score.indices {
        sums[configuration.types[i]] += dot(score[i], score[i]) / 3
        counts[configuration.types[i]] += 1
      }
    }
    let mean = max(sums.reduce(0, +) / counts.reduce(0, +), .leastNormalMagnitude)
    return sums.indices.map { counts[$0] > 0 && sums[$0] > 0 ? sums[$0] / counts[$0] : mean }
  }

  private func pairPotential(_ correction: [Double]) throws -> Potential {
    try Potential(
      typeNames: typeNames, energyScale: 1, pair: basis.pairTerm(zip(startingPair, correction).map { $0 + $1 }),
      network: nil)
  }

  // MARK: Steps

  /// Moves the chains, and the parameters once.
  public func advance() throws -> Report {
    network.set(state.parameters)
    let pair = try pairPotential(state.pairCorrection)
    let count = Self.chainCount
    let moved = try Parallel.map(2 * count, threads: threads) { k in
      k < count ? try moveChain(k, pair) : try look(atFrame: k - count)
    }
    var modelCounts = [Double](repeating: 0, count: basis.count)
    for (k, result) in moved[..<count].enumerated() {
      state.restarts += result.chain == nil ? 1 : 0
      let start = frame(drawnBy: k, stream: 2)
      state.chains[k] = result.chain ?? LangevinChain(frames[start].configuration.positions)
      if result.chain == nil { state.starts[k] = start }
      for f in modelCounts.indices { modelCounts[f] += result.pairCounts[f] / Double(count) }
    }
    let share = 0.5 * (1 + cos(Double.pi * Double(step) / Double(steps)))
    correctPair(modelCounts, rate: Self.pairRate * share)
    let gradient = network.parameterGradient(gradients)
    guard gradient.allSatisfy(\.isFinite) else {
      throw DiffNNPError(
        "the refinement by likelihood diverged at step \(step); lower network.likelihood_rate from "
          + "\(settings.likelihoodRate), or set network.likelihood_steps to 0")
    }
    state.optimiser.update(
      &state.parameters, gradient: gradient, learningRate: settings.likelihoodRate * share,
      averaging: Self.averaging)
    return Report(step: step, pairDifference: pairDifference, restarts: state.restarts)
  }

  private struct Moved {
    var chain: LangevinChain?
    var pairCounts: [Double] = []
  }

  /// Moves a chain, and differentiates the energy where it ends.
  private func moveChain(_ k: Int, _ pair: Potential) throws -> Moved {
    var chain = state.chains[k]
    var configuration = frames[state.starts[k]].configuration
    var random = Philox(seed: settings.seed, purpose: .likelihood, frame: k, stream: step)
    let isFine = try chain.advance(Self.stride, &configuration, masses: masses, using: &random) {
      try models[k].evaluate($0, pair: pair, into: &$1)
    }
    var moved = Moved(chain: isFine ? chain : nil, pairCounts: Array(repeating: 0, count: basis.count))
    if !isFine { try evaluate(k, frames[state.starts[k]].configuration, pair) }
    try PairCounter(basis).add(models[k].pairEdges, types: configuration.types, to: &moved.pairCounts)
    differentiate(k, sign: -1, atoms: configuration.positions.count)
    return moved
  }

  /// Differentiates the energy of a frame of the data.
  private func look(atFrame k: Int) throws -> Moved {
    let configuration = frames[frame(drawnBy: k, stream: 1)].configuration
    try evaluate(Self.chainCount + k, configuration, nil)
    differentiate(Self.chainCount + k, sign: 1, atoms: configuration.positions.count)
    return Moved()
  }

  private func evaluate(_ k: Int, _ configuration: Configuration, _ pair: Potential?) throws {
    var score: [SIMD3<Double>] = []
    try models[k].evaluate(configuration, pair: pair, into: &score)
  }

  private func differentiate(_ k: Int, sign: Double, atoms: Int) {
    models[k].differentiateEnergy(weight: sign / Double(Self.chainCount * atoms), into: gradients[k])
  }

  private func frame(drawnBy k: Int, stream: Int) -> Int {
    var random = Philox(seed: settings.seed, purpose: .likelihood, frame: step, stream: stream << 8 ^ k)
    return Int.random(in: frames.indices, using: &random)
  }

  /// As in Boltzmann inversion, by the ratio of the pairs there are to those there should be: at every distance the same
  /// share of what is missing, whatever the number of pairs.
  private func correctPair(_ modelCounts: [Double], rate: Double) {
    let keep = min(Self.averaging, Double(step) / Double(step + 1))
    for f in pairCounts.indices where pairCounts[f] > 0 {
      let ratio = modelCounts[f] / pairCounts[f]
      state.pairCorrection[f] += rate * min(max(ratio - 1, -1), 1)
      state.pairRatio[f] = keep * state.pairRatio[f] + (1 - keep) * ratio
      state.averagePair[f] = keep * state.averagePair[f] + (1 - keep) * state.pairCorrection[f]
    }
  }

  private var pairDifference: Double {
    let known = pairCounts.indices.filter { pairCounts[$0] > 0 }
    return known.reduce(0) { $0 + abs(state.pairRatio[$1] - 1) } / Double(max(known.count, 1))
  }

  // MARK: Checkpoints

  /// Adds what is needed to continue to a checkpoint of the trainer.
  public func addCheckpoint(to file: inout SafetensorsFile) {
    state.add(to: &file, identity: Self.identity(settings))
  }

  /// Whether a trainer's checkpoint reaches into a refinement with these settings.
  /// - Throws: where that had others.
  public static func isPart(of file: SafetensorsFile, _ settings: NetworkSettings) throws -> Bool {
    try LikelihoodState.isPart(of: file, identity: identity(settings))
  }

  /// Continues from a checkpoint that reaches into the refinement.
  public func resume(from file: SafetensorsFile) throws { try state.restore(file, frames: frames) }

  private static func identity(_ settings: NetworkSettings) -> String {
    "\(settings.likelihoodSteps) steps, rate \(settings.likelihoodRate)"
  }

  // MARK: Results

  /// The network, and the pair term it belongs to.
  public func result() throws -> (pair: PairTerm, network: Network) {
    let coefficients = zip(startingPair, state.averagePair).map { $0 + $1 }
    return (
      try basis.pairTerm(coefficients), try Network(network.architecture, parameters: state.optimiser.average)
    )
  }
}
