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
///
/// At first the chains only run, to see how far their numbers of pairs are from those of the data. What chance explains of
/// the difference is left alone: corrections are drawn back in proportion to the variance of the data's numbers over that
/// of the excess. Few frames of few atoms so keep what the scores taught them.
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

  /// How much the chains do.
  struct Effort: Sendable {
    /// Atoms in all chains together at least, as far as `chainCounts` allows.
    var chainAtoms = 2000
    var chainCounts = 2...64
    /// Steps of a chain between two steps of the optimiser.
    var stride = 20
    /// Steps at first in which the chains only run, and how many of these are not counted.
    var (measuringSteps, settlingSteps) = (60, 20)
  }

  public let steps: Int
  public var step: Int { state.step }
  /// After all steps, or once it is seen that chance explains what there is to correct.
  public var isFinished: Bool { step >= steps || (step >= effort.measuringSteps && excess == 0) }

  private let settings: NetworkSettings
  private let effort: Effort
  private let network: TrainableNetwork
  private let typeNames: [String]
  private let frames: Frames
  private let threads: Int
  private let ranks: Ranks
  private let fit: PairFit.Result
  private var basis: PairBasis { fit.basis }
  private let startingPair: [Double]
  private let data: PairEvidence
  /// Chains; as many frames of the data enter each step.
  private let chainCount: Int
  /// Of each type (kT/Å²).
  private var masses: [Double] = []
  private var models: [TrainableScore] = []
  private var gradients: [TrainableNetwork.Gradient] = []
  private(set) var state: LikelihoodState

  private static let averaging = 0.98
  /// Share of log(n/n_data) by which a step corrects the pair term at first.
  private static let pairRate = 0.02

  /// - Parameters:
  ///   - trainer: one that is finished.
  ///   - pair: the fit whose pair term, as it is run, the network adds to.
  ///   - ranks: processes that share the work.
  public convenience init(
    after trainer: NetworkTrainer, pair: PairFit.Result, trajectory: Trajectory, threads: Int, ranks: Ranks = .one
  ) throws {
    try self.init(after: trainer, pair: pair, trajectory: trajectory, threads: threads, ranks: ranks, Effort())
  }

  init(
    after trainer: NetworkTrainer, pair: PairFit.Result, trajectory: Trajectory, threads: Int, ranks: Ranks = .one,
    _ effort: Effort
  ) throws {
    self.effort = effort
    let (settings, parameters) = (trainer.settings, trainer.bestParameters)
    self.settings = settings
    steps = settings.likelihoodSteps + effort.measuringSteps
    typeNames = trajectory.typeNames
    frames = trajectory.frames
    (self.threads, self.ranks) = (threads, ranks)
    fit = pair
    startingPair = pair.coefficients
    network = try TrainableNetwork(trainer.architecture)
    network.set(parameters)
    data = try Self.evidence(trajectory.frames, pair.blocks, pair.basis, ranks)
    let frameCount = trajectory.frames.count
    let atoms = trajectory.frames.atomCount / frameCount
    let wanted = effort.chainAtoms / max(atoms, 1)
    let chainCount = min(max(wanted, effort.chainCounts.lowerBound), effort.chainCounts.upperBound)
    self.chainCount = chainCount
    let starts = (0..<chainCount).map { $0 * frameCount / chainCount }
    state = LikelihoodState(
      parameters: parameters, pairCount: pair.basis.count, starts: starts,
      chains: starts.map { LangevinChain(trajectory.frames[$0].configuration.positions) })
    for _ in 0..<2 * chainCount {
      models.append(TrainableScore(network))
      gradients.append(network.makeGradient())
    }
    masses = try meanCurvatures()
  }

  private static func evidence(_ frames: Frames, _ blocks: TimeBlocks, _ basis: PairBasis, _ ranks: Ranks)
    throws -> PairEvidence
  {
    let counter = PairCounter(basis)
    let sums = try ranks.map(blocks.count, threads: 1) { block in
      var counts = [Double](repeating: 0, count: basis.count)
      for k in blocks.ranges[block] { try counter.add(frames[k].configuration, to: &counts) }
      return counts
    }
    return PairEvidence(sums: sums, sizes: blocks.ranges.map(\.count))
  }

  /// Mean squares of the score along a coordinate for each type, which for the model's own configurations are the mean
  /// curvatures.
  private func meanCurvatures() throws -> [Double] {
    let base = try base(state.pairCorrection)
    var sums = [Double](repeating: 0, count: typeNames.count)
    var counts = sums
    var score: [SIMD3<Double>] = []
    for k in state.starts {
      let configuration = frames[k].configuration
      try models[0].evaluate(configuration, base: base, into: &score)
      for i in score.indices {
        sums[configuration.types[i]] += dot(score[i], score[i]) / 3
        counts[configuration.types[i]] += 1
      }
    }
    let mean = max(sums.reduce(0, +) / counts.reduce(0, +), .leastNormalMagnitude)
    return sums.indices.map { counts[$0] > 0 && sums[$0] > 0 ? sums[$0] / counts[$0] : mean }
  }

  /// What the network adds to.
  private func base(_ correction: [Double]) throws -> Potential {
    try Potential(
      typeNames: typeNames, energyScale: 1, pair: pairTerm(correction), triplets: fit.triplets, network: nil)
  }

  /// The corrected pair term. Its walls begin with what they continue, which corrections change.
  private func pairTerm(_ correction: [Double]) throws -> PairTerm {
    try basis.pairTerm(fit.walled(zip(startingPair, correction).map { $0 + $1 }))
  }

  // MARK: Steps

  /// Moves the chains and, once it is known how far they are from the data, the parameters.
  public func advance() throws -> Report {
    network.set(state.parameters)
    let base = try base(state.pairCorrection)
    let isMeasuring = step < effort.measuringSteps
    let moved = try ranks.map(isMeasuring ? chainCount : 2 * chainCount, threads: threads) { k in
      k < chainCount ? try moveChain(k, base) : try look(atFrame: k - chainCount)
    }
    for (k, result) in moved[..<chainCount].enumerated() {
      if let chain = result.chain {
        state.chains[k] = chain
      } else {
        state.starts[k] = frame(drawnBy: k, stream: 2)
        state.chains[k] = LangevinChain(frames[state.starts[k]].configuration.positions)
        state.restarts += 1
      }
    }
    compare(moved[..<chainCount].map(\.pairCounts))
    if !isMeasuring { try correct() }
    state.step += 1
    return Report(step: step, pairDifference: pairDifference, restarts: state.restarts)
  }

  /// Moves the pair term and the network, less and less.
  private func correct() throws {
    let progress = Double(step - effort.measuringSteps) / Double(steps - effort.measuringSteps)
    let share = 0.5 * (1 + cos(Double.pi * progress))
    let drawBacks = self.drawBacks
    correctPair(rate: Self.pairRate * share, drawBacks)
    let gradient = try network.parameterGradient(gradients[...], over: ranks)
    guard gradient.allSatisfy(\.isFinite) else {
      throw DiffNNPError(
        "the refinement by likelihood diverged at step \(step); lower network.likelihood_rate from "
          + "\(settings.likelihoodRate), or set network.likelihood_steps to 0")
    }
    let trust = drawBacks.reduce(0) { $0 + 1 / (1 + $1) } / Double(drawBacks.count)
    state.optimiser.update(
      &state.parameters, gradient: gradient, learningRate: settings.likelihoodRate * trust * share,
      averaging: Self.averaging)
  }

  /// Variance of the ratio of the numbers of pairs, chains' over data's, that chance does not explain.
  private var excess: Double {
    let size = effort.measuringSteps - effort.settlingSteps
    return data.excessVariance(
      of: PairEvidence(sums: state.chainSums, sizes: Array(repeating: size, count: chainCount)))
  }

  /// For each function of `data.known`, the variance of the data's number over the excess.
  private var drawBacks: [Double] {
    let excess = max(self.excess, .leastNormalMagnitude)
    return data.known.map { min(data.variance(ofMean: data.means[$0]) / excess, 1 / Self.pairRate) }
  }

  /// What came of a chain, nil where it is of no use any more, or of a frame.
  private struct Moved: Parcelled {
    var chain: LangevinChain?
    var pairCounts: [Double] = []

    init(chain: LangevinChain? = nil, pairCounts: [Double] = []) { (self.chain, self.pairCounts) = (chain, pairCounts) }

    init(from parcel: inout Parcel) {
      let positions: [SIMD3<Double>] = parcel.take()
      if !positions.isEmpty {
        chain = LangevinChain(positions)
        chain?.velocities = parcel.take()
      }
      pairCounts = parcel.take()
    }

    func put(into parcel: inout Parcel) {
      parcel.put(chain?.positions ?? [])
      if let chain { parcel.put(chain.velocities) }
      parcel.put(pairCounts)
    }
  }

  /// Moves a chain, and differentiates the energy where it ends.
  private func moveChain(_ k: Int, _ base: Potential) throws -> Moved {
    var chain = state.chains[k]
    var configuration = frames[state.starts[k]].configuration
    var random = Philox(seed: settings.seed, purpose: .likelihood, frame: k, stream: step)
    let isFine = try chain.advance(effort.stride, &configuration, masses: masses, using: &random) {
      try models[k].evaluate($0, base: base, into: &$1)
    }
    if !isFine { configuration = frames[state.starts[k]].configuration }
    var moved = Moved(chain: isFine ? chain : nil, pairCounts: Array(repeating: 0, count: basis.count))
    try PairCounter(basis).add(configuration, to: &moved.pairCounts)
    try differentiate(k, sign: -1, configuration)
    return moved
  }

  /// Differentiates the energy of a frame of the data.
  private func look(atFrame k: Int) throws -> Moved {
    try differentiate(chainCount + k, sign: 1, frames[frame(drawnBy: k, stream: 1)].configuration)
    return Moved()
  }

  private func differentiate(_ k: Int, sign: Double, _ configuration: Configuration) throws {
    let weight = sign / Double(chainCount * configuration.positions.count)
    try models[k].differentiateEnergy(configuration, weight: weight, into: gradients[k])
  }

  private func frame(drawnBy k: Int, stream: Int) -> Int {
    var random = Philox(seed: settings.seed, purpose: .likelihood, frame: step, stream: stream << 8 ^ k)
    return Int.random(in: frames.indices, using: &random)
  }

  /// Takes note of the numbers of pairs in all chains.
  private func compare(_ counts: [[Double]]) {
    if effort.settlingSteps..<effort.measuringSteps ~= step {
      for k in counts.indices { for f in counts[k].indices { state.chainSums[k][f] += counts[k][f] } }
    }
    let keep = min(Self.averaging, Double(step) / Double(step + 1))
    for f in data.known {
      let ratio = counts.reduce(0) { $0 + $1[f] } / (Double(chainCount) * data.means[f])
      state.pairRatio[f] = ratio
      state.averageRatio[f] = keep * state.averageRatio[f] + (1 - keep) * ratio
    }
  }

  /// As in Boltzmann inversion, by the ratio of the pairs there are to those there should be: at every distance the same
  /// share of what is missing, whatever the number of pairs.
  private func correctPair(rate: Double, _ drawBacks: [Double]) {
    let corrections = state.optimiser.step
    let keep = min(Self.averaging, Double(corrections) / Double(corrections + 1))
    for (f, drawBack) in zip(data.known, drawBacks) {
      let excess = min(max(state.pairRatio[f] - 1, -1), 1)
      state.pairCorrection[f] += rate * (excess - drawBack * state.pairCorrection[f])
      state.averagePair[f] = keep * state.averagePair[f] + (1 - keep) * state.pairCorrection[f]
    }
  }

  private var pairDifference: Double {
    data.known.reduce(0) { $0 + abs(state.averageRatio[$1] - 1) } / Double(max(data.known.count, 1))
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
    return (
      try pairTerm(state.averagePair), try Network(network.architecture, parameters: state.optimiser.average)
    )
  }
}
