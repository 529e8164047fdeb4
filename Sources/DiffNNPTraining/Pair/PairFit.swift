#if canImport(Glibc)
  import Glibc
#endif
import DiffNNP
import DiffNNPFrames

/// The data that training learns from.
public enum TrainingObjective: String, CaseIterable, Sendable {
  /// Configurations alone, by denoising.
  case denoising
  /// Force labels alone.
  case forces
  /// Configurations and force labels together.
  case mixed
}

/// The first stage of training: a potential that is linear in its coefficients, in closed form.
///
/// 1. Denoising: quadratic objectives on a ladder of noise levels (`PairStatistics`), solved for all candidate ranges,
///    weights, degrees in τ = σ² and priors; cross-validation over blocks of time picks one by the objective at σ → 0.
///    Where 2 or 3 follows, the level without noise is enough to start from.
/// 2. Conditional likelihood: from there, Newton steps on `ConditionalLikelihood`, which also knows the relative weight
///    of wells that scores cannot compare; its prior is picked by cross-validation on the likelihood.
/// 3. With force labels, their Gaussian log-likelihood replaces that of 2 or is added to it.
/// 4. Triplets, where they are wanted: from there, Newton steps on the same objective for pairs and triplets together.
/// 5. Below the smallest distance in the data a repulsive wall is joined on.
///
/// `LikelihoodRefinement` may follow.
public struct PairFit: Sendable {
  /// Settings of the fit.
  public struct Settings: Sendable {
    /// The data that are fitted: configurations, force labels or both.
    public var objective = TrainingObjective.denoising
    /// Noise on the frames for denoising.
    public var noise = NoiseMode.ladder(sigmas: NoiseMode.defaultSigmas)
    /// Whether stage 2 follows stage 1; it needs a noise ladder.
    public var usesLikelihood = true
    /// Cutoff (Å); nil for 12 Å, half the smallest height of a cell, or as far as the mean atom has 150 neighbours,
    /// whichever is least.
    public var rMax: Double?
    /// Knot spacing (Å).
    public var spacing = 0.1
    /// Triplets beside the pair term; nil for none. They need stage 2 or 3.
    public var triplets: TripletSettings?
    /// Number of blocks of time for cross-validation.
    public var blockCount = 5
    /// Seed of noise and of candidates.
    public var seed: UInt64 = 1
    /// Number of threads.
    public var threads = Parallel.processorCount
    /// Processes that share the work; the result does not depend on them.
    public var ranks = Ranks.one

    /// The default settings.
    public init() {}

    /// Whether stage 2 or 3 follows stage 1; triplets need one of them.
    public var isRefined: Bool {
      guard case .ladder = noise else { return false }
      return objective != .denoising || usesLikelihood
    }

    /// Whether stage 2 follows: a likelihood that is, or contains, the conditional one.
    public var hasLikelihood: Bool { isRefined && objective != .forces }
  }

  /// One way to fit, with the numbers that cross-validation compares.
  public struct Candidate: Equatable, Sendable {
    /// What was minimised: `levels 0.05-0.15 Å`, `likelihood`, ….
    public var name: String
    /// Degree of the potential in τ.
    public var degree: Int
    /// Prior of the pair term.
    public var prior: SmoothnessPrior
    /// Width of the prior of triplets (kT); nil where there are none.
    public var tripletWidth: Double?
    /// Mean over frames of the objective on held-out blocks.
    public var heldOut: Double
  }

  /// The potential that was fitted, and how it was chosen.
  public struct Result: Sendable {
    /// Functions of the pair term.
    public let basis: PairBasis
    /// Blocks of time of the cross-validation.
    public let blocks: TimeBlocks
    /// Coefficients [pair][interval] in kT, without walls.
    public var bareCoefficients: [Double]
    /// Triplet term beside the pair term; nil without triplets.
    public var triplets: TripletTerm?
    /// Noise levels (Å) that were fitted.
    public let sigmas: [Double]
    /// Noise level of the potential (Å): 0, or the only level.
    public let sigma: Double
    /// Smallest distance in the data for each pair of types (Å): `smallestDistances`; without outliers, where walls
    /// begin: `wallDistances`. Infinite for pairs that never meet.
    public let smallestDistances: [Double]
    public let wallDistances: [Double]
    /// All `candidates` that were compared, in the order tried, and those `chosen` in each stage.
    public let candidates: [Candidate]
    public let chosen: [Candidate]
    /// Held-out objective at σ → 0, E[½|s|² + div s] for a frame, of the final choice of pairs alone; lower is better.
    public let heldOutObjective: Double
    /// The minimum of the conditional likelihood, for a refinement by the full likelihood; nil without stage 2.
    var minimum: LikelihoodMinimum?

    /// The functions of pairs and triplets.
    var linearBasis: LinearBasis { LinearBasis(pairs: basis, triplets: triplets?.basis) }
    /// Coefficients of `linearBasis`, those of pairs without walls.
    var linearCoefficients: [Double] { bareCoefficients + (triplets?.coefficients ?? []) }

    /// The result with other coefficients of all functions.
    func with(_ coefficients: [Double]) throws -> Result {
      var result = self
      result.bareCoefficients = linearBasis.pairPart(coefficients)
      result.triplets = try triplets.map {
        try TripletTerm($0.basis, coefficients: linearBasis.tripletPart(coefficients))
      }
      return result
    }

    /// The potential in units of kT.
    func potential(_ typeNames: [String]) throws -> Potential {
      try Potential(typeNames: typeNames, energyScale: 1, terms: [pairTerm(), triplets])
    }

    /// Coefficients [pair][interval] in kT, with the walls.
    public var coefficients: [Double] { walled(bareCoefficients) }

    /// Coefficients with the walls of this potential.
    func walled(_ coefficients: [Double]) -> [Double] {
      RepulsiveWall().applied(to: coefficients, basis, smallestDistances: noisedWallDistances)
    }

    /// The floor of distances for another term of the potential, with a cutoff (Å), so that it does not outweigh the
    /// walls.
    func floor(within rMax: Double) throws -> DistanceFloor {
      try RepulsiveWall.floor(basis, smallestDistances: noisedWallDistances, within: rMax)
    }

    /// Noise brings pairs closer than any in the data: by two standard deviations of their distance.
    private var noisedWallDistances: [Double] { wallDistances.map { max($0 - 2 * 2.0.squareRoot() * sigma, 0) } }

    /// The pair term of the potential, with its walls.
    /// - Throws: where the coefficients do not fit the basis.
    public func pairTerm() throws -> PairTerm { try basis.pairTerm(coefficients) }
  }

  /// Most spline functions for a pair of types: more would make the dense normal equations much too large.
  private static let mostIntervals = 1000

  /// Settings of the fit.
  public let settings: Settings
  /// Temperature of the frames (K).
  public let temperature: Double
  /// kT (eV).
  public var thermalEnergy: Double { boltzmannConstant * temperature }
  /// Called with a line of text at each stage.
  public var progress: @Sendable (String) -> Void = { _ in }

  /// A fit of frames at a temperature.
  /// - Parameter temperature: of the frames (K).
  /// - Throws: where temperature, noise or knot spacing make no sense.
  public init(_ settings: Settings, temperature: Double) throws {
    try Temperature.check(temperature)
    try settings.noise.validate()
    guard settings.spacing.isFinite, settings.spacing > 0 else {
      throw DiffNNPError("knot spacing is \(settings.spacing) Å; expected a positive number")
    }
    self.settings = settings
    self.temperature = temperature
  }

  /// Checks whether frames can be fitted, as far as that shows before the work.
  /// - Throws: where there are too few frames, forces are missing that the objective needs, or the cutoff makes no
  ///   sense.
  public func check(_ trajectory: Trajectory) throws { _ = try prepare(trajectory) }

  func prepare(_ trajectory: Trajectory) throws -> (blocks: TimeBlocks, basis: PairBasis) {
    let blocks = try TimeBlocks(frameCount: trajectory.frames.count, blockCount: settings.blockCount)
    if settings.objective != .denoising { try requireForces(trajectory.frames) }
    let basis = try makeBasis(trajectory)
    let triplets = settings.isRefined ? settings.triplets?.fewestFunctions(typeCount: basis.typeCount) ?? 0 : 0
    try requireMemory(
      functions: basis.count + triplets,
      basis.arithmetic + (triplets > 0 ? ", and \(triplets) of triplets at least" : ""), blocks)
    try trajectory.requirePairs(within: basis.rMax, "the pair term's r_max")
    return (blocks, basis)
  }

  private func requireMemory(functions: Int, _ arithmetic: String, _ blocks: TimeBlocks) throws {
    try MatrixMemory.check(
      functions: functions, arithmetic, objectives: settings.objective == .mixed ? 2 : 1, blocks: blocks.count,
      threads: settings.threads)
  }

  /// Fits the frames of a trajectory.
  /// - Throws: what `check` throws, and where the frames do not determine a potential.
  public func run(_ trajectory: Trajectory) throws -> Result {
    let frames = trajectory.frames
    let (blocks, basis) = try prepare(trajectory)
    progress("\(frames.count) frames in \(blocks.count) blocks; \(basis.count) pair functions up to \(basis.rMax) Å")
    let statistics = try PairStatistics(
      frames, blocks: blocks,
      PairStatistics.Request(
        basis: basis, noise: settings.noise, sigmas: sigmas, seed: settings.seed, threads: settings.threads,
        ranks: settings.ranks))
    let atoms = Double(frames.atomCount) / Double(frames.count)
    let selection = PairSelection(
      statistics: statistics, atomsPerFrame: atoms, threads: settings.threads, ranks: settings.ranks)
    if settings.objective != .denoising { try checkForces(frames, selection, trajectory.typeNames) }
    return try solve(frames, statistics, selection)
  }

  /// Noise levels of which statistics are gathered (Å).
  private var sigmas: [Double] {
    let sigmas = settings.isRefined ? [0] : settings.noise.sigmas
    return sigmas[0] == 0 ? sigmas : [0] + sigmas
  }

  private func solve(_ frames: Frames, _ statistics: PairStatistics, _ selection: PairSelection) throws -> Result {
    guard case .ladder = settings.noise else {
      let sigma = settings.noise.sigmas[0]
      return result(statistics, sigmas: [sigma], [try selection.best(ofLevel: sigma)])
    }
    guard settings.isRefined else {
      progress("noise ladder: \(sigmas.count) levels up to \(sigmas.last!) Å")
      return result(statistics, sigmas: sigmas, [try selection.bestLadder()])
    }
    // Where the minimum of a likelihood is does not depend on the start.
    let pairs = LinearBasis(pairs: statistics.basis)
    let triplets = try tripletBasis(statistics)
    let whole = LinearBasis(pairs: statistics.basis, triplets: triplets)
    try requireMemory(functions: whole.count, whole.arithmetic, statistics.blocks)
    let start = try selection.best(ofLevel: 0)
    var stages = [start]
    stages.append(
      try selection.minimum(
        of: objective(pairs, frames, statistics), prior: LinearPrior(smoothness: start.chosen.prior),
        isLast: triplets == nil, from: start.coefficients, progress: progress))
    guard let triplets else { return result(statistics, sigmas: [0], stages) }
    progress("\(triplets.count) triplet functions up to \(triplets.rMax) Å")
    stages.append(
      try selection.minimum(
        of: objective(whole, frames, statistics),
        prior: LinearPrior(smoothness: stages[1].chosen.prior, tripletWidth: LinearPrior.tripletWidths[0]),
        isLast: true, from: stages[1].coefficients + Array(repeating: 0, count: triplets.count), progress: progress))
    let term = try TripletTerm(triplets, coefficients: stages[2].triplets)
    return result(statistics, triplets: term, sigmas: [0], stages)
  }

  /// The objective of stages 2 and 3.
  private func objective(
    _ basis: LinearBasis, _ frames: Frames, _ statistics: PairStatistics
  ) -> LinearObjective {
    var objective = LinearObjective(basis: basis)
    if settings.objective != .forces {
      objective.likelihood = ConditionalLikelihood(
        basis: basis, frames: frames, blocks: statistics.blocks, smallestDistances: statistics.connectedDistances,
        seed: settings.seed, threads: settings.threads, ranks: settings.ranks)
    }
    if settings.objective != .denoising {
      objective.labels = ForceLabels(
        basis: basis, frames: frames, blocks: statistics.blocks, thermalEnergy: thermalEnergy,
        threads: settings.threads, ranks: settings.ranks)
    }
    return objective
  }

  /// The functions of triplets, if any are wanted.
  private func tripletBasis(_ statistics: PairStatistics) throws -> TripletBasis? {
    guard let triplets = settings.triplets else { return nil }
    return try triplets.basis(statistics.basis, closest: statistics.connectedDistances)
  }

  private func result(
    _ statistics: PairStatistics, triplets: TripletTerm? = nil, sigmas: [Double], _ stages: [PairSelection.Choice]
  ) -> Result {
    Result(
      basis: statistics.basis, blocks: statistics.blocks, bareCoefficients: stages.last!.pairs, triplets: triplets,
      sigmas: sigmas, sigma: sigmas.count == 1 ? sigmas[0] : 0, smallestDistances: statistics.smallestDistances,
      wallDistances: statistics.connectedDistances, candidates: stages.flatMap(\.candidates),
      chosen: stages.map(\.chosen), heldOutObjective: stages[min(1, stages.count - 1)].heldOutScore,
      minimum: stages.last!.minimum)
  }

  /// Longest default cutoff (Å), and most neighbours within it: where charges or long structure act far, and atoms are
  /// few, a long cutoff costs little; in dense liquids it takes most of the time.
  private static let (longestDefault, mostDefaultNeighbours) = (12.0, 150.0)

  private func defaultCutoff(_ trajectory: Trajectory) -> Double {
    var cutoff = Self.longestDefault
    for frame in trajectory.frames {
      for k in 0..<3 where frame.cell.periodic[k] { cutoff = min(cutoff, frame.cell.heights[k] / 2) }
      let volume = Self.mostDefaultNeighbours * frame.cell.volume / Double(frame.positions.count)
      let radius = cbrt(volume / (4 / 3 * Double.pi))
      if radius < cutoff { cutoff = max((radius / settings.spacing).rounded(.down), 4) * settings.spacing }
    }
    return cutoff
  }

  private func makeBasis(_ trajectory: Trajectory) throws -> PairBasis {
    let rMax = settings.rMax ?? defaultCutoff(trajectory)
    guard rMax.isFinite, rMax >= 4 * settings.spacing else {
      let origin = settings.rMax == nil ? ", half the smallest height of a cell" : ""
      throw DiffNNPError(
        "the pair term's r_max is \(rMax) Å\(origin); expected at least four knot spacings of \(settings.spacing) Å")
    }
    guard rMax <= Potential.largestCutoff else {
      throw DiffNNPError("the pair term's r_max is \(rMax) Å; expected at most \(Potential.largestCutoff) Å")
    }
    let intervals = (rMax / settings.spacing).rounded()
    guard intervals <= Double(Self.mostIntervals) else {
      throw DiffNNPError(
        "the pair term's r_max of \(rMax) Å has \(intervals) knots \(settings.spacing) Å apart; "
          + "expected at most \(Self.mostIntervals): give a larger spacing or a smaller cutoff")
    }
    return PairBasis(
      typeCount: trajectory.typeNames.count, rMax: rMax, intervals: Int(intervals))
  }
}

/// Boltzmann's constant (eV/K), CODATA 2018.
public let boltzmannConstant = 8.617333262e-5
