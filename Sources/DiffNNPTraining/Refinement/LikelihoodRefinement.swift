import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// Refines a potential by maximum likelihood. The gradient of -log p(data) is the sum of ∂u/∂θ over the data minus its
/// mean over as many configurations of the model itself. These come from Langevin chains that start in frames of the
/// data, and continue in each step where the last one ended (persistent contrastive divergence: Tieleman, ICML 2008; in
/// coarse graining, minimisation of the relative entropy: Shell, J. Chem. Phys. 129, 144108 (2008)).
///
/// Pseudo-likelihoods and scores depend on the moves of one atom, or on the forces at one configuration, at a time.
/// Where the functions of a potential are not flexible enough, they leave small errors in the collective structure,
/// such as g(r) and angles of a liquid. At the maximum of the likelihood, the means of all functions are those of the
/// data. Coefficients of pairs and triplets change by fractions of Newton steps, with priors and Hessian of the
/// pseudo-likelihood (`LikelihoodMinimum`); parameters of a network by Adam.
///
/// In the first steps the chains only run, to measure how far the model's means are from those of the data. Where the
/// difference is smaller than the statistical uncertainty of the data, the potential is left unchanged.
public final class LikelihoodRefinement {
  /// The outcome of a step.
  public struct Report: Sendable {
    /// Number of steps done.
    public var step: Int
    /// Mean of |n/n_data - 1| over the functions that count neighbours and have enough data, where n is the count in
    /// the chains as a running mean over steps.
    public var countDifference: Double
    /// Number of chains restarted so far, because one of their atoms became absurdly fast.
    public var restarts: Int
  }

  /// The number and length of the chains.
  struct Effort: Sendable {
    /// Least number of atoms in all chains together, as far as `chainCounts` allows.
    var chainAtoms = 2000
    var chainCounts = 2...64
    /// Time steps of a chain in each step of the optimiser.
    var stride = 20
    /// Number of initial steps in which the chains only run, and how many of these are discarded as equilibration.
    var (measuringSteps, settlingSteps) = (60, 20)

    /// The number of steps to do: fewer where chains have many atoms, whose means are more precise.
    func steps(_ wanted: Int, atoms: Int) -> Int {
      min(wanted, max(wanted * 2 * chainAtoms / max(atoms, 1), Self.fewestSteps))
    }

    /// Enough for steps of `linearRate` to converge.
    private static let fewestSteps = 80
  }

  /// Squared distances of means in the metric of the minimum.
  private struct Assessment {
    /// Squared distance of the model's means from those of the data, beyond what chance explains.
    var excess: Double
    /// Expected squared distance of the data's means from exact ones.
    var uncertainty: Double

    var isWorthwhile: Bool { excess > uncertainty }
    var trust: Double { isWorthwhile ? excess / (excess + uncertainty) : 0 }
  }

  /// Number of steps, including those in which the chains only run.
  public let steps: Int
  /// Number of steps done.
  public var step: Int { state.step }
  /// Whether all steps are done, or the data have turned out to justify no correction.
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
  /// Means of the sums of all functions over all frames, and over each block of time, at the volume of the chains.
  private let dataMean: [Double]
  private let blockMeans: [[Double]]
  /// Whether each function occurs often enough in the data for its coefficient to be changed. A function that is zero
  /// in nearly all frames may occur in the chains by chance, and the resulting step would be far too large.
  private let isKnown: [Bool]
  /// Functions that count neighbours and have enough data.
  private let counts: [Int]
  private let metric: HessianMetric
  /// Number of chains; with a network, as many frames of the data enter each step.
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
  /// Initial fraction of a Newton step for the coefficients of pairs and triplets. Because atoms move together, the
  /// Hessian of the likelihood is up to a few times that of the pseudo-likelihood.
  private static let linearRate = 0.1
  /// Least sum of a function over all frames (pairs, or as many triplets) for its coefficient to be changed.
  private static let fewestCounts = 100.0

  /// Whether a fit can be refined: it must be the minimum of a pseudo-likelihood, and all frames must have the same
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
  ///   - trainer: the finished trainer of the network; nil without one.
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

  /// The potentials of pairs and triplets, with the current coefficients, and of a known part. Walls are made anew,
  /// because they continue the corrected splines.
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
      k < chainCount
        ? try moveChain(k, bases, differentiates: differentiates) : try differentiate(atFrame: k - chainCount)
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
    accumulate(mean, sums)
    if !isMeasuring { try correct(mean) }
    state.step += 1
    return Report(step: step, countDifference: countDifference, restarts: state.restarts)
  }

  /// The outcome of moving a chain (nil where it has to be restarted), or of differentiating at a frame.
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

  /// Moves a chain, and differentiates the network's energy at its end.
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

  /// Differentiates the network's energy at a frame of the data that is drawn at random.
  private func differentiate(atFrame k: Int) throws -> Moved {
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

  // MARK: Assessment

  private func accumulate(_ mean: [Double], _ sums: [[Double]]) {
    if effort.settlingSteps..<effort.measuringSteps ~= step {
      for k in sums.indices { for f in sums[k].indices { state.chainSums[k][f] += sums[k][f] } }
    }
    let keep = min(Self.averaging, Double(step) / Double(step + 1))
    for f in mean.indices { state.averageMean[f] = keep * state.averageMean[f] + (1 - keep) * mean[f] }
  }

  private var countDifference: Double {
    counts.reduce(0) { $0 + abs(state.averageMean[$1] / dataMean[$1] - 1) } / Double(max(counts.count, 1))
  }

  /// The gradient of the objective with respect to the coefficients of pairs and triplets where the model has these
  /// means: that of -log p times the number of choices per atom of the pseudo-likelihood, plus that of priors and
  /// labels.
  private func gradient(_ mean: [Double], at c: [Double]) -> [Double] {
    let (likelihood, others) = (difference(dataMean, mean), minimum.others.product(c))
    return c.indices.map { isKnown[$0] ? likelihood[$0] + others[$0] - minimum.others.vector[$0] : 0 }
  }

  /// The difference of two means as it enters the gradient; 0 for functions without enough data.
  private func difference(_ one: [Double], _ other: [Double]) -> [Double] {
    let factor = minimum.weight * Double(frames.count)
    return one.indices.map { isKnown[$0] ? factor * (one[$0] - other[$0]) : 0 }
  }

  /// The assessment from the steps in which the chains only ran.
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

  /// Changes all parameters, by steps that decay to zero as half a cosine.
  private func correct(_ mean: [Double]) throws {
    let (done, all) = (step - effort.measuringSteps, steps - effort.measuringSteps)
    let decay = 0.5 * (1 + cos(Double.pi * Double(done) / Double(all)))
    let newton = metric.step(gradient(mean, at: state.coefficients))
    for f in newton.indices { state.coefficients[f] -= Self.linearRate * decay * newton[f] }
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
    state.update(
      gradient: gradient, learningRate: networkRate * assessment.trust * decay,
      averaging: Self.averaging)
  }

  // MARK: Checkpoints

  /// Adds to a checkpoint everything that is needed to continue.
  public func addCheckpoint(to file: inout SafetensorsFile) {
    state.add(to: &file, identity: Self.identity(steps: wantedSteps, networkRate), start: start)
  }

  /// Whether a checkpoint was written during a refinement with these settings.
  /// - Throws: where that had others.
  public static func isCheckpoint(_ file: SafetensorsFile, steps: Int, _ settings: NetworkSettings?) throws -> Bool {
    try LikelihoodState.isCheckpoint(file, identity: identity(steps: steps, settings?.refinementRate ?? 0))
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
