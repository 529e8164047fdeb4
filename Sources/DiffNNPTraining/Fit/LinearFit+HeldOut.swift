import DiffNNP
import DiffNNPFrames

extension LinearFit {
  /// Draws of noise for each held-out frame.
  private static let heldOutDraws = 4

  /// The objective of denoising in the limit of no noise, per atom (1/Å²), of each of some frames that were not fitted.
  ///
  /// The potential has no walls: they are so steep that one pair closer than any in the fitted frames would dominate
  /// the objective.
  package func heldOutObjectives(of result: Result, _ frames: Frames, typeNames: [String]) throws -> [Double] {
    let potentials = try result.model.potentials(
      result.coefficients, typeNames: typeNames, energyScale: thermalEnergy)
    let objective = try HeldOutObjective(temperature: temperature, draws: Self.heldOutDraws, seed: settings.seed)
    return try Parallel.map(frames.count, threads: settings.threads) { k in
      let calculators = potentials.map { Calculator($0) }
      return try objective.estimate(frames.frame(at: k).configuration, frame: k) { configuration in
        let forces = try calculators.map { try $0.compute(configuration).forces }
        return forces[0].indices.map { i in forces.reduce(.zero) { $0 + $1[i] } }
      }
    }
  }
}
