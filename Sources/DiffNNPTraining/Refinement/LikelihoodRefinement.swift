import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// Refines a potential by maximum likelihood. The gradient of -log p(data) is the sum of ∂u/∂θ over the data minus its
/// mean over as many configurations of the model itself. These come from Langevin chains that start in frames of the
/// data, and go on in each step from where the last one left them (persistent contrastive divergence: Tieleman, ICML
/// 2008; in coarse graining, minimisation of the relative entropy: Shell, J. Chem. Phys. 129, 144108).
///
/// Pseudo-likelihoods and scores depend on one atom, or one position, at a time. Where the
/// functions of a potential are not flexible enough, they leave collective structure a little wrong: g(r) and angles of
/// a liquid, say. At the maximum of the likelihood, the means of all functions are those of the data. Pairs and
/// triplets move by fractions of Newton's steps, with priors and Hessian of the pseudo-likelihood
/// (`LikelihoodMinimum`); a network by Adam.
///
/// At first the chains only run, to find how far they are from the data. Where the model is wrong by less than the data
/// themselves are uncertain, it is left as it is.
public final class LikelihoodRefinement {
  /// The outcome of a step.
  public struct Report: Sendable {
    /// Number of steps done.
    public var step: Int
    /// Mean of |n/n_data - 1| over the functions with data that count neighbours, where n is their number in the chains, as
    /// a running mean over steps.
    public var countDifference: Double
    /// Number of chains begun anew so far, because one of their atoms moved absurdly fast.
    public var restarts: Int
  }

  /// How much work the chains do.
  struct Effort: Sendable {
    /// Atoms in all chains together at least, as far as `chainCounts` allows.
    var chainAtoms = 2000
    var chainCounts = 2...64
    /// Steps of a chain between two steps of the optimiser.
    var stride = 20
    /// Steps at first in which the chains only run, and how many of these are not counted.
    var (measuringSteps, settlingSteps) = (60, 20)

    /// Chains of large configurations say as much in fewer steps.
    func steps(_ wanted: Int, atoms: Int) -> Int {
      min(wanted, max(wanted * 2 * chainAtoms / max(atoms, 1), Self.fewestSteps))
    }

    /// Enough for steps of `linearRate` to arrive.
    private static let fewestSteps = 80
  }

  /// How far the model's means are from those of the data, as squares in the metric of the minimum.
  private struct Assessment {
    /// Distance of the model's means from those of the data, beyond what chance explains.
    var excess: Double
    /// Distance of the data's means from exact ones, by chance.
    var uncertainty: Double

    var isWorthwhile: Bool { excess > uncertainty }
    var trust: Double { isWorthwhile ? excess / (excess + uncertainty) : 0 }
  }

  /// Number of steps, those included in which chains only run.
  public let steps: Int
  /// Number of steps done.
  public var step: Int { state.step }
  /// Whether all steps are done, or it has turned out that the data ask for no correction.
  public var isFinished: Bool { step >= steps || (step >= effort.measuringSteps && !assessment.isWorthwhile) }
  /// Whether coefficients or parameters were changed.
  public var hasCorrected: Bool { step > effort.measuringSteps }

  private let wantedSteps: Int
  private let effort: Effort
  private let fit: LinearFit.Result
  private let minimum: LikelihoodMinimum
  private let network: TrainableNetwork?
  private let networkRate: Double
  private let seed: UInt64
  private let typeNames: [String]
  private let frames: Frames
  private let threads: Int
  private let ranks: Ranks
  /// Sums of all functions in a frame, the mean of all frames and those of blocks of time, for the volume of the
  /// chains.
  private let dataMean: [Double]
  private let blockMeans: [[Double]]
  /// Whether the data have enough counts of a function for its coefficient to be moved. Functions that hardly any frame
  /// has may occur in chains by chance; steps against them would be much too large.
  private let isKnown: [Bool]
  /// Functions with enough data that count neighbours.
  private let counts: [Int]
  private let metric: HessianMetric
  /// Chains; with a network, as many frames of the data enter each step.
  private let chainCount: Int
  /// Mass of each type (kT/Å²).
  private var masses: [Double] = []
  private var evaluators: [LinearModelEvaluator] = []
  private var models: [TrainableScore] = []
  private var gradients: [TrainableNetwork.Gradient] = []
  private(set) var state: LikelihoodState
  private var knownAssessment: Assessment?

  /// Decay of running means over steps.
  private static let averaging = 0.98
  /// Fraction of Newton's step that pairs and triplets are moved by at first. Atoms move together, so that the Hessian
  /// of the full likelihood is up to a few times that of the pseudo-likelihood.
  private static let linearRate = 0.1
  /// Fewest counts of a function in all frames (pairs, or as many triplets) for its coefficient to be moved.
  private static let fewestCounts = 100.0

  /// Whether a fit can be refined: whether it is the minimum of a pseudo-likelihood, and all frames have the same
  /// composition, so that a few chains represent them.
  public static func isPossible(_ fit: LinearFit.Result, _ trajectory: Trajectory) -> Bool {
    func composition(_ frame: Frame) -> [Int] {
      frame.types.reduce(into: Array(repeating: 0, count: trajectory.typeNames.count)) { $0[$1] += 1 }
    }
    let first = trajectory.frames.first.map(composition)
    return fit.minimum != nil && trajectory.frames.allSatisfy { composition($0) == first }
  }

  /// Prepares the refinement, with chains that start in frames of the data.
  /// - Parameters:
  ///   - fit: pairs, and perhaps triplets, to be refined.
  ///   - trainer: one that is finished, if there is a network.
  ///   - steps: of corrections, at most.
  ///   - ranks: processes that share the work.
  /// - Throws: where the fit has no minimum of a pseudo-likelihood, the likelihood is not determined, or a frame
  ///   cannot be read.
  public convenience init(
    _ fit: LinearFit.Result, _ trainer: NetworkTrainer?, trajectory: Trajectory, steps: Int, seed: UInt64, threads: Int,
    ranks: Ranks = .one
  ) throws {
    try self.init(
      fit, trainer, trajectory: trajectory, steps: steps, seed: seed, threads: threads, ranks: ranks, Effort())
  }

  init(
    _ fit: LinearFit.Result, _ trainer: NetworkTrainer?, trajectory: Trajectory, steps: Int, seed: UInt64, threads: Int,
    ranks: Ranks = .one, _ effort: Effort
  ) throws {
    guard let minimum = fit.minimum else {
      throw DiffNNPError("a refinement by likelihood needs the minimum of a pseudo-likelihood")
    }
    var effort = effort
    let frameCount = trajectory.frames.count
    let atoms = trajectory.frames.atomCount / frameCount
    let chainCount = min(
      max(effort.chainAtoms / max(atoms, 1), effort.chainCounts.lowerBound), effort.chainCounts.upperBound)
    effort.measuringSteps = effort.steps(effort.measuringSteps, atoms: chainCount * atoms)
    wantedSteps = steps
    self.steps = effort.steps(steps, atoms: chainCount * atoms) + effort.measuringSteps
    (self.effort, self.chainCount) = (effort, chainCount)
    (self.fit, self.minimum, self.seed) = (fit, minimum, seed)
    (typeNames, frames) = (trajectory.typeNames, trajectory.frames)
    (self.threads, self.ranks) = (threads, ranks)
    networkRate = trainer?.settings.refinementRate ?? 0
    network = try trainer.map { try TrainableNetwork($0.architecture) }
    network?.set(trainer!.bestParameters)
    let (frames, ranges) = (trajectory.frames, fit.blocks.ranges)
    let starts = (0..<chainCount).map { $0 * frameCount / chainCount }
    let volume = try starts.reduce(0) { try $0 + frames.frame(at: $1).cell.volume } / Double(chainCount)
    let blocks = try ranks.map(ranges.count, threads: threads) { try FunctionMeans(of: frames, ranges[$0], fit.model) }
    let all = FunctionMeans(blocks)
    let slopes = all.volumeSlopes
    blockMeans = blocks.map { $0.means(at: volume, slopes) }
    dataMean = all.means(at: volume, slopes)
    isKnown = all.sizes.map { $0 * Double(frameCount) >= Self.fewestCounts }
    counts = fit.model.countingFunctions.filter { [isKnown] in isKnown[$0] }
    metric = try minimum.metric(among: isKnown)
    state = LikelihoodState(
      coefficients: fit.coefficients, parameters: trainer?.bestParameters ?? [], starts: starts,
      chains: try starts.map { LangevinChain(try frames.frame(at: $0).positions) })
    evaluators = starts.map { _ in LinearModelEvaluator(fit.model) }
    for _ in 0..<(network == nil ? 1 : 2) * chainCount {
      models.append(TrainableScore(network))
      if let network { gradients.append(network.makeGradient()) }
    }
    masses = try meanCurvatures()
  }

  /// Mean squares of the score along a coordinate for each type, which for the model's own configurations are the mean
  /// curvatures.
  private func meanCurvatures() throws -> [Double] {
    let bases = try bases()
    var sums = [Double](repeating: 0, count: typeNames.count)
    var counts = sums
    var score: [SIMD3<Double>] = []
    for k in state.starts {
      let configuration = try frames.frame(at: k).configuration
      try models[0].evaluate(configuration, bases: bases, into: &score)
      for i in score.indices {
        sums[configuration.types[i]] += dot(score[i], score[i]) / 3
        counts[configuration.types[i]] += 1
      }
    }
    let mean = max(sums.reduce(0, +) / counts.reduce(0, +), .leastNormalMagnitude)
    return sums.indices.map { counts[$0] > 0 && sums[$0] > 0 ? sums[$0] / counts[$0] : mean }
  }

  /// Pairs and triplets as they are now. Walls begin with what they continue, which corrections change.
  private func bases() throws -> [Potential] { try fit.with(state.coefficients).potentials(typeNames) }

  // MARK: Steps

  /// Moves the chains and, once it is known how far they are from the data, the parameters.
  /// - Throws: where the refinement diverges, a frame cannot be read, or another rank fails.
  public func advance() throws -> Report {
    network?.set(state.parameters)
    let bases = try bases()
    let isMeasuring = step < effort.measuringSteps
    let differentiates = network != nil && !isMeasuring
    let moved = try ranks.map(differentiates ? 2 * chainCount : chainCount, threads: threads) { k in
      k < chainCount ? try moveChain(k, bases, differentiates: differentiates) : try look(atFrame: k - chainCount)
    }
    for (k, result) in moved[..<chainCount].enumerated() {
      if let chain = result.chain {
        state.chains[k] = chain
      } else {
        state.starts[k] = frame(drawnBy: k, stream: 2)
        state.chains[k] = LangevinChain(try frames.frame(at: state.starts[k]).positions)
        state.restarts += 1
      }
    }
    let sums = moved[..<chainCount].map(\.functions)
    let mean = dataMean.indices.map { f in sums.reduce(0) { $0 + $1[f] } / Double(chainCount) }
    takeNote(of: mean, sums)
    if !isMeasuring { try correct(mean) }
    state.step += 1
    return Report(step: step, countDifference: countDifference, restarts: state.restarts)
  }

  /// The outcome of moving a chain (nil where it has to be begun anew), or of differentiating at a frame.
  private struct Moved: Parcelled {
    var chain: LangevinChain?
    var functions: [Double] = []

    init(chain: LangevinChain? = nil, functions: [Double] = []) { (self.chain, self.functions) = (chain, functions) }

    init(from parcel: inout Parcel) {
      let positions: [SIMD3<Double>] = parcel.take()
      if !positions.isEmpty {
        chain = LangevinChain(positions)
        chain?.velocities = parcel.take()
      }
      functions = parcel.take()
    }

    func put(into parcel: inout Parcel) {
      parcel.put(chain?.positions ?? [])
      if let chain { parcel.put(chain.velocities) }
      parcel.put(functions)
    }
  }

  /// Moves a chain, and differentiates at its end.
  private func moveChain(_ k: Int, _ bases: [Potential], differentiates: Bool) throws -> Moved {
    var chain = state.chains[k]
    var configuration = try frames.frame(at: state.starts[k]).configuration
    var random = Philox(seed: seed, purpose: .likelihood, frame: k, stream: step)
    let isFine = try chain.advance(effort.stride, &configuration, masses: masses, using: &random) {
      try models[k].evaluate($0, bases: bases, into: &$1)
    }
    if !isFine { configuration = try frames.frame(at: state.starts[k]).configuration }
    if differentiates { try differentiate(k, sign: -1, configuration) }
    return Moved(chain: isFine ? chain : nil, functions: try evaluators[k].sums(configuration))
  }

  /// Differentiates the network's energy of a frame of the data.
  private func look(atFrame k: Int) throws -> Moved {
    try differentiate(chainCount + k, sign: 1, frames.frame(at: frame(drawnBy: k, stream: 1)).configuration)
    return Moved()
  }

  private func differentiate(_ k: Int, sign: Double, _ configuration: Configuration) throws {
    let weight = sign / Double(chainCount * configuration.positions.count)
    try models[k].differentiateEnergy(configuration, weight: weight, into: gradients[k])
  }

  private func frame(drawnBy k: Int, stream: Int) -> Int {
    var random = Philox(seed: seed, purpose: .likelihood, frame: step, stream: stream << 8 ^ k)
    return Int.random(in: frames.indices, using: &random)
  }

  // MARK: What there is to correct

  private func takeNote(of mean: [Double], _ sums: [[Double]]) {
    if effort.settlingSteps..<effort.measuringSteps ~= step {
      for k in sums.indices { for f in sums[k].indices { state.chainSums[k][f] += sums[k][f] } }
    }
    let keep = min(Self.averaging, Double(step) / Double(step + 1))
    for f in mean.indices { state.averageMean[f] = keep * state.averageMean[f] + (1 - keep) * mean[f] }
  }

  private var countDifference: Double {
    counts.reduce(0) { $0 + abs(state.averageMean[$1] / dataMean[$1] - 1) } / Double(max(counts.count, 1))
  }

  /// The gradient of the objective of pairs and triplets where the model has these means: that of -log p times the
  /// number of choices that the pseudo-likelihood poses for an atom, and that of priors and labels.
  private func gradient(_ mean: [Double], at c: [Double]) -> [Double] {
    let (likelihood, others) = (difference(dataMean, mean), minimum.others.product(c))
    return c.indices.map { isKnown[$0] ? likelihood[$0] + others[$0] - minimum.others.vector[$0] : 0 }
  }

  /// Difference of means, 0 for functions without enough data, as it enters the gradient.
  private func difference(_ one: [Double], _ other: [Double]) -> [Double] {
    let factor = minimum.weight * Double(frames.count)
    return one.indices.map { isKnown[$0] ? factor * (one[$0] - other[$0]) : 0 }
  }

  /// The assessment of what the chains did while they only ran.
  private var assessment: Assessment {
    if let knownAssessment { return knownAssessment }
    let size = Double(effort.measuringSteps - effort.settlingSteps)
    let chainMeans = state.chainSums.map { $0.map { $0 / size } }
    let mean = dataMean.indices.map { f in chainMeans.reduce(0) { $0 + $1[f] } / Double(chainCount) }
    let uncertainty = uncertainty(of: blockMeans, dataMean)
    let found = Assessment(
      excess: metric.square(gradient(mean, at: fit.coefficients)) - uncertainty
        - self.uncertainty(of: chainMeans, mean),
      uncertainty: uncertainty)
    knownAssessment = found
    return found
  }

  /// The expected square of a mean's deviation by chance, from groups that are independent of each other, in the same
  /// metric.
  private func uncertainty(of groups: [[Double]], _ mean: [Double]) -> Double {
    let squares = groups.map { metric.square(difference($0, mean)) }
    return squares.reduce(0, +) / Double(groups.count * (groups.count - 1))
  }

  // MARK: Corrections

  /// Moves all parameters, by less and less.
  private func correct(_ mean: [Double]) throws {
    let (done, all) = (step - effort.measuringSteps, steps - effort.measuringSteps)
    let share = 0.5 * (1 + cos(Double.pi * Double(done) / Double(all)))
    let newton = metric.step(gradient(mean, at: state.coefficients))
    for f in newton.indices { state.coefficients[f] -= Self.linearRate * share * newton[f] }
    // The mean of the second half: steps are noisy, as the chains are few.
    let averaged = max(0, done - all / 2)
    for f in newton.indices {
      state.averageCoefficients[f] += (state.coefficients[f] - state.averageCoefficients[f]) / Double(averaged + 1)
    }
    guard let network else { return }
    let gradient = try network.parameterGradient(gradients[...], over: ranks)
    guard gradient.allSatisfy(\.isFinite) else {
      throw DiffNNPError(
        "the refinement by likelihood diverged at step \(step); lower network.refinement_rate from \(networkRate), "
          + "or set refinement.steps to 0")
    }
    state.optimiser.update(
      &state.parameters, gradient: gradient, learningRate: networkRate * assessment.trust * share,
      averaging: Self.averaging)
  }

  // MARK: Checkpoints

  /// Adds to a checkpoint everything that is needed to continue.
  public func addCheckpoint(to file: inout SafetensorsFile) {
    state.add(to: &file, identity: Self.identity(steps: wantedSteps, networkRate), start: start)
  }

  /// Whether a checkpoint was written during a refinement with these settings.
  /// - Throws: where that had others.
  public static func isPart(of file: SafetensorsFile, steps: Int, _ settings: NetworkSettings?) throws -> Bool {
    try LikelihoodState.isPart(of: file, identity: identity(steps: steps, settings?.refinementRate ?? 0))
  }

  /// Continues from a checkpoint that was written during the refinement.
  /// - Throws: where it started from another potential, of other frames or settings.
  public func resume(from file: SafetensorsFile) throws {
    try state.restore(file, frames: frames, start: start)
    knownAssessment = nil
  }

  private static func identity(steps: Int, _ rate: Double) -> String { "\(steps) steps, rate \(rate)" }

  /// Fingerprint of the potential that is refined.
  private var start: String {
    var fingerprint = Fingerprint()
    for c in fit.coefficients { fingerprint.add(c.bitPattern) }
    return "\(fingerprint.value)"
  }

  // MARK: Results

  /// The refined fit, and the network that belongs to it.
  /// - Throws: where a coefficient or parameter is not finite.
  public func result() throws -> (fit: LinearFit.Result, network: Network?) {
    let network = try network.map { try Network($0.architecture, parameters: state.optimiser.average) }
    return (hasCorrected ? fit.with(state.averageCoefficients) : fit, network)
  }
}
