import DiffNNP
import DiffNNPFrames
import DiffNNPTraining

/// Fits of pair potentials by denoising alone, in closed form: quadratic objectives at one noise level or at several
/// (`NoisedScores`), solved for all candidate ranges, weights, degrees in τ = σ² and priors; cross-validation over blocks of
/// time picks one by the objective at σ → 0.
package struct NoiseFit: Sendable {
  /// Pairs, blocks of time, seed and threads; functions of triplets are left out.
  package let settings: FitSettings
  /// The noise.
  package let noise: NoiseMode
  /// Temperature of the frames (K).
  package let temperature: Double

  /// A fit of frames at a temperature (K).
  /// - Throws: where temperature, noise or knot spacing are not valid.
  package init(_ settings: FitSettings, _ noise: NoiseMode, temperature: Double) throws {
    try noise.validate()
    var settings = settings
    settings.triplets = nil
    (self.settings, self.noise, self.temperature) = (settings, noise, temperature)
    _ = try LinearFit(settings, temperature: temperature)
  }

  /// Fits the frames of a trajectory.
  /// - Throws: what `LinearFit.check` throws, and where the frames do not determine a potential.
  package func run(_ trajectory: Trajectory) throws -> LinearFit.Result {
    let frames = trajectory.frames
    let (blocks, basis) = try LinearFit(settings, temperature: temperature).prepare(trajectory)
    let scores = try PairScores(
      frames, blocks: blocks, basis, threads: settings.threads)
    let selection = NoiseLevelSelection(
      scores: scores, noised: try NoisedScores(frames, scores, noise, settings),
      atomsPerFrame: Double(frames.atomCount) / Double(frames.count), threads: settings.threads)
    var sigma = 0.0
    let choice: NoiseLevelSelection.Choice
    if case .ladder = noise {
      choice = try selection.bestLadder()
    } else {
      sigma = noise.sigmas[0]
      choice = try selection.best(ofLevel: sigma)
    }
    // Noise brings pairs closer together than any in the data: walls begin two standard deviations of a distance
    // further in.
    let walls = scores.connectedDistances.map { max($0 - 2 * 2.0.squareRoot() * sigma, 0) }
    return LinearFit.Result(
      model: LinearModel([PairFeatures(basis: basis, wallDistances: walls)]), coefficients: choice.pairs,
      blocks: blocks, sigma: sigma, smallestDistances: scores.smallestDistances,
      wallDistances: scores.connectedDistances, candidates: choice.candidates, chosen: [choice.chosen],
      heldOutObjective: choice.heldOutScore)
  }
}
