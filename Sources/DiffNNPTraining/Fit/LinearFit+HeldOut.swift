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
    let potential = try Potential(
      typeNames: typeNames, energyScale: thermalEnergy, terms: result.model.terms(result.coefficients))
    let objective = try HeldOutObjective(temperature: temperature, draws: Self.heldOutDraws, seed: settings.seed)
    return try Parallel.map(frames.count, threads: settings.threads) { k in
      let calculator = Calculator(potential)
      return try objective.estimate(frames.frame(at: k).configuration, frame: k) { try calculator.compute($0).forces }
    }
  }
}
