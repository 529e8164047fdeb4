import DiffNNP
import DiffNNPFrames

extension LinearFit {
  /// Draws of noise for each held-out frame.
  private static let heldOutDraws = 4

  /// The objective of denoising without noise, for an atom (1/Å²), of each of some frames that are not in the fit.
  ///
  /// Without walls: where pairs are closer than any before, steep walls would be all that the objective sees.
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
