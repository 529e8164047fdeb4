import DiffNNP
import DiffNNPFrames

extension PairFit {
  /// The pair term of the density at one noise level, fitted at that level alone, for a network that is to learn what no pair
  /// term can say there. The powers of a wide ladder are too few for that: where a sharp well is smeared, a network would
  /// spend itself on the well's bias.
  ///
  /// Noise brings pairs closer than any in the data, so the wall begins two standard deviations of their distance below.
  func pairTerm(ofLevel sigma: Double, _ trajectory: Trajectory) throws -> PairTerm {
    var settings = settings
    settings.noise = .fresh(sigma: sigma)
    let result = try PairFit(settings, temperature: temperature).run(trajectory)
    let reach = 2 * 2.0.squareRoot() * sigma
    return try result.basis.pairTerm(
      RepulsiveWall().applied(
        to: result.powers[0], result.basis, smallestDistances: result.wallDistances.map { max($0 - reach, 0) }))
  }
}
