#if canImport(Glibc)
  import Glibc
#endif
import DiffNNP
import DiffNNPFrames

/// The first stage of training: a potential that is linear in its coefficients, by a convex objective.
///
/// 1. Pairs by score matching without noise (`PairScores`), in closed form, as the starting point.
/// 2. From there, Newton steps (`LinearMinimiser`) on the pseudo-likelihood of configurations (`PseudoLikelihood`), on the
///    Gaussian log-likelihood of force labels (`ForceLabels`), or on both; first with pairs alone.
/// 3. Where triplets are wanted, Newton steps from there on the same objective of all functions together.
///
/// Priors are chosen by cross-validation over blocks of time. Below the smallest distance in the data a repulsive wall is
/// joined on. `LikelihoodRefinement` may follow.
public struct LinearFit: Sendable {
  /// Most spline functions for a pair of types: more would make the dense normal equations much too large.
  private static let mostIntervals = 1000

  /// Settings of the fit.
  public let settings: FitSettings
  /// Temperature of the frames (K).
  public let temperature: Double
  /// kT (eV).
  public var thermalEnergy: Double { boltzmannConstant * temperature }
  /// Called with a line of text at each stage.
  public var progress: @Sendable (String) -> Void = { _ in }

  /// A fit of frames at a temperature.
  /// - Parameter temperature: of the frames (K).
  /// - Throws: where temperature or knot spacing are not valid.
  public init(_ settings: FitSettings, temperature: Double) throws {
    try Temperature.check(temperature)
    guard settings.pairs.spacing.isFinite, settings.pairs.spacing > 0 else {
      throw DiffNNPError("knot spacing is \(settings.pairs.spacing) Å; expected a positive number")
    }
    self.settings = settings
    self.temperature = temperature
  }

  // MARK: Checks

  /// Checks whether frames can be fitted, as far as this can be known before the fit.
  /// - Throws: where there are too few frames, forces are missing that the objective needs, or the cutoff makes no
  ///   sense.
  public func check(_ trajectory: Trajectory) throws { _ = try prepare(trajectory) }

  package func prepare(_ trajectory: Trajectory) throws -> (blocks: TimeBlocks, basis: PairBasis) {
    let blocks = try TimeBlocks(frameCount: trajectory.frames.count, blockCount: settings.blockCount)
    if settings.objective.usesForces { try requireForces(trajectory.frames) }
    let basis = try makeBasis(trajectory)
    let triplets = settings.triplets?.fewestFunctions(typeCount: basis.typeCount) ?? 0
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

  // MARK: Functions of pairs

  /// Longest default cutoff (Å), and largest number of neighbours within it. A long cutoff costs little in dilute
  /// systems, whose interactions are long-ranged; in dense liquids it would take most of the time.
  private static let (longestDefault, mostDefaultNeighbours) = (12.0, 150.0)

  private func defaultCutoff(_ trajectory: Trajectory) -> Double {
    let spacing = settings.pairs.spacing
    var cutoff = Self.longestDefault
    for frame in trajectory.frames {
      for k in 0..<3 where frame.cell.periodic[k] { cutoff = min(cutoff, frame.cell.heights[k] / 2) }
      let volume = Self.mostDefaultNeighbours * frame.cell.volume / Double(frame.positions.count)
      let radius = cbrt(volume / (4 / 3 * Double.pi))
      if radius < cutoff { cutoff = max((radius / spacing).rounded(.down), 4) * spacing }
    }
    return cutoff
  }

  private func makeBasis(_ trajectory: Trajectory) throws -> PairBasis {
    let spacing = settings.pairs.spacing
    let rMax = settings.pairs.rMax ?? defaultCutoff(trajectory)
    guard rMax.isFinite, rMax >= 4 * spacing else {
      let origin = settings.pairs.rMax == nil ? ", half the smallest height of a cell" : ""
      throw DiffNNPError(
        "the pair term's r_max is \(rMax) Å\(origin); expected at least four knot spacings of \(spacing) Å")
    }
    guard rMax <= Potential.largestCutoff else {
      throw DiffNNPError("the pair term's r_max is \(rMax) Å; expected at most \(Potential.largestCutoff) Å")
    }
    let intervals = (rMax / spacing).rounded()
    guard intervals <= Double(Self.mostIntervals) else {
      throw DiffNNPError(
        "the pair term's r_max of \(rMax) Å has \(intervals) knots \(spacing) Å apart; "
          + "expected at most \(Self.mostIntervals): give a larger spacing or a smaller cutoff")
    }
    return PairBasis(typeCount: trajectory.typeNames.count, rMax: rMax, intervals: Int(intervals))
  }

  // MARK: The fit

  /// Fits the frames of a trajectory.
  /// - Throws: what `check` throws, and where the frames do not determine a potential.
  public func run(_ trajectory: Trajectory) throws -> Result {
    let frames = trajectory.frames
    let (blocks, basis) = try prepare(trajectory)
    progress("\(frames.count) frames in \(blocks.count) blocks; \(basis.count) pair functions up to \(basis.rMax) Å")
    let scores = try PairScores(
      frames, blocks: blocks, basis, known: settings.known, threads: settings.threads, ranks: settings.ranks)
    let families = try families(basis, scores)
    var model = LinearModel([families[0]], known: settings.known)
    var priors = [families[0].priorCandidates[0]]
    var stages = [try minimiser(model, frames, blocks).minimum(ofQuadratic: [scores.objective], &priors)]
    if settings.objective.usesForces { try checkForces(frames, scores, smoothness: priors[0], trajectory.typeNames) }
    let all = LinearModel(families)
    try requireMemory(functions: all.count, all.arithmetic, blocks)
    // Families join one after the other: the objective is convex, so that its minimum does not depend on the starting
    // point.
    var (c, minimum): ([Double], LikelihoodMinimum?) = (stages[0].coefficients, nil)
    for count in 1...families.count {
      model = LinearModel(Array(families[..<count]), known: settings.known)
      if count > 1 {
        let family = families[count - 1]
        progress("\(family.count) functions of \(family.name) up to \(family.rMax) Å")
        priors.append(family.priorCandidates[0])
        c += Array(repeating: 0, count: family.count)
      }
      let (stage, found) = try minimise(model, &priors, isLast: count == families.count, from: c, frames, scores)
      stages.append(stage)
      (c, minimum) = (stage.coefficients, found)
    }
    return Result(
      model: model, coefficients: c, blocks: blocks, smallestDistances: scores.smallestDistances,
      wallDistances: scores.connectedDistances, stages, heldOutObjective: scores.heldOut(stages[1].chosen.solutions),
      minimum: minimum)
  }

  /// The families of functions, in the order in which they join the fit: pairs first.
  private func families(_ basis: PairBasis, _ scores: PairScores) throws -> [any LinearFeatures] {
    let closest = scores.connectedDistances
    var families: [any LinearFeatures] = [PairFeatures(basis: basis, wallDistances: closest)]
    if let triplets = settings.triplets {
      families.append(TripletFeatures(basis: try triplets.basis(basis, closest: closest)))
    }
    return families
  }

  private func minimiser(_ model: LinearModel, _ frames: Frames, _ blocks: TimeBlocks) -> LinearMinimiser {
    LinearMinimiser(
      model: model, blocks: blocks, atomCount: frames.atomCount, threads: settings.threads, ranks: settings.ranks)
  }

  /// The minimum of the objective for the functions of a model.
  /// - Parameters:
  ///   - priors: the hyperparameters to begin with; on return the best ones.
  ///   - isLast: whether the result is final, not just the starting point of the next stage.
  /// - Returns: the minimum, and what a refinement needs of it where there is a pseudo-likelihood.
  private func minimise(
    _ model: LinearModel, _ priors: inout [Double], isLast: Bool, from start: [Double], _ frames: Frames,
    _ scores: PairScores
  ) throws -> (LinearMinimiser.Minimum, LikelihoodMinimum?) {
    var minimiser = minimiser(model, frames, scores.blocks)
    minimiser.progress = progress
    let forces =
      settings.objective.usesForces
      ? try weightedForces(minimiser, priors, from: start, frames, typeCount: scores.basis.typeCount).objective : nil
    var likelihood: PseudoLikelihood?
    if settings.objective.usesConfigurations {
      likelihood = PseudoLikelihood(
        model: model, frames: frames, blocks: scores.blocks,
        moves: [AtomMove(smallestDistances: scores.connectedDistances, typeCount: scores.basis.typeCount)],
        seed: settings.seed, threads: settings.threads, ranks: settings.ranks)
    }
    let all: [(any ObjectivePart)?] = [likelihood, forces]
    let parts = all.compactMap { $0 }
    // The starting potential is undetermined at distances where the data have no pairs; walls define it there.
    var c = model.walled(start)
    let first = try minimiser.descend(parts, &priors, .low, from: &c)
    // Without a pseudo-likelihood there are no choices, and a second pass with more of them would change nothing.
    guard isLast, let likelihood else { return (first.minimum, nil) }
    var (minimum, penalised) = try minimiser.descend(parts, &priors, .full, from: &c)
    var others = forces?.total ?? QuadraticForm(count: model.count)
    minimiser.add(priors, to: &others)
    minimiser.add(priors, to: &penalised)
    return (
      minimum, LikelihoodMinimum(objective: penalised, others: others, weight: likelihood.choicesPerAtom(.full))
    )
  }

  /// The objective of the labels without outliers, weighted by the inverse of their variances. Outliers and variances
  /// are determined about the starting potential first, and then about one fitted to the labels that are left.
  private func weightedForces(
    _ minimiser: LinearMinimiser, _ priors: [Double], from start: [Double], _ frames: Frames, typeCount: Int
  ) throws -> WeightedForces {
    let labels = ForceLabels(
      model: minimiser.model, frames: frames, blocks: minimiser.blocks, typeCount: typeCount,
      thermalEnergy: thermalEnergy, threads: settings.threads, ranks: settings.ranks)
    var priors = priors
    let first = try labels.weighted(about: start).objective
    return try labels.weighted(about: minimiser.minimum(ofQuadratic: [first], &priors).coefficients)
  }
}
