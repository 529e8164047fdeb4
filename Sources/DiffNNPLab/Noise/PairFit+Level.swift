import DiffNNP
import DiffNNPFrames

extension PairFit {
  /// The pair term of the density at one noise level, fitted at that level alone, for a network that is to learn what
  /// no pair term can say there. That of the potential to be run would not do: where a sharp well is smeared, a network
  /// would spend itself on the well's bias.
  func pairTerm(ofLevel sigma: Double, _ trajectory: Trajectory) throws -> PairTerm {
    var settings = settings
    settings.noise = .fresh(sigma: sigma)
    return try PairFit(settings, temperature: temperature).run(trajectory).pairTerm()
  }
}
