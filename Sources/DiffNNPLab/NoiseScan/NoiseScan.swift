import DiffNNP
import DiffNNPFrames
import DiffNNPTraining

/// Pair potentials of several noise levels, F_σ = kT ∇log p_σ, and of the pseudo-likelihood for comparison, each with
/// the held-out objective on frames that it was not fitted to.
package struct NoiseScan: Sendable {
  /// One noise level, or the likelihood.
  package struct Point: Sendable {
    /// Noise level (Å); nil for the likelihood.
    package let sigma: Double?
    /// Objective for an atom (1/Å²) of each held-out frame, in order of time.
    package let objectives: [Double]
    /// The potential fitted to all frames, for simulations; in eV, with walls.
    package let potential: Potential
  }

  /// Settings of the fits; each level replaces their noise.
  package var settings: FitSettings
  /// Temperature of the frames (K).
  package let temperature: Double

  /// Default noise levels (Å): σ² from 0.0025 to 0.4 Å².
  package static let defaultSigmas = [0.05, 0.07, 0.1, 0.14, 0.2, 0.26, 0.32, 0.45, 0.63]

  /// A scan of fits with these settings, to frames at a temperature (K).
  package init(_ settings: FitSettings, temperature: Double) {
    self.settings = settings
    self.temperature = temperature
  }

  /// Fits the levels, in closed form with the mean over all draws of noise, and last the likelihood.
  /// - Throws: what the fits throw.
  package func run(
    _ trajectory: Trajectory, sigmas: [Double] = defaultSigmas, progress: (String) -> Void = { _ in }
  ) throws -> [Point] {
    let blocks = try TimeBlocks(frameCount: trajectory.frames.count, blockCount: settings.blockCount)
    let heldOut = trajectory.frames.at(blocks.ranges.last!)
    let training = Trajectory(
      typeNames: trajectory.typeNames, frames: trajectory.frames.at(0..<blocks.ranges.last!.lowerBound))
    var pairs = settings
    pairs.triplets = nil
    let likelihood = try LinearFit(pairs, temperature: temperature)
    return try (sigmas.map { $0 } + [nil]).map { sigma in
      progress(sigma.map { "σ = \($0) Å" } ?? "the pseudo-likelihood")
      func fit(_ trajectory: Trajectory) throws -> LinearFit.Result {
        guard let sigma else { return try likelihood.run(trajectory) }
        return try NoiseFit(settings, .fresh(sigma: sigma), temperature: temperature).run(trajectory)
      }
      let result = try fit(trajectory)
      return Point(
        sigma: sigma,
        objectives: try likelihood.heldOutObjectives(of: fit(training), heldOut, typeNames: trajectory.typeNames),
        potential: try Potential(
          typeNames: trajectory.typeNames, energyScale: likelihood.thermalEnergy, terms: result.terms(),
          metadata: result.metadata(trajectory, temperature: temperature)))
    }
  }
}
