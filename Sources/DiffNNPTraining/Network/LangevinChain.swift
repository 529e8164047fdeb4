import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// A configuration that moves by Langevin dynamics in the potential being trained, with kT = 1 and unit masses: BAOAB
/// (Leimkuhler & Matthews, Appl. Math. Res. Express 2013, 34), whose configurations are right to second order in the time
/// step and nearly exact for harmonic wells.
struct LangevinChain: Equatable {
  private(set) var configuration: Configuration
  private var velocities: [SIMD3<Double>]
  private var scores: [SIMD3<Double>] = []
  private var random: Philox

  /// Starts at a configuration, with random velocities.
  init(_ configuration: Configuration, random: Philox) {
    self.configuration = configuration
    self.random = random
    velocities = []
    for _ in configuration.positions { velocities.append(self.random.normal3()) }
  }

  static func == (a: Self, b: Self) -> Bool {
    a.configuration.positions == b.configuration.positions && a.velocities == b.velocities
  }

  /// Makes `count` steps of `timeStep` (Å). The potential may have changed since the last call.
  /// - Parameter friction: times the time step.
  /// - Returns: whether all went well; false where an atom moved absurdly far.
  mutating func advance(
    _ count: Int, timeStep h: Double, friction: Double, _ score: (Configuration, inout [SIMD3<Double>]) throws -> Void
  ) rethrows -> Bool {
    let keep = exp(-friction)
    let kick = (1 - keep * keep).squareRoot()
    try score(configuration, &scores)
    for _ in 0..<count {
      for i in velocities.indices {
        var v = velocities[i] + 0.5 * h * scores[i]
        configuration.positions[i] += 0.5 * h * v
        v = keep * v + kick * random.normal3()
        configuration.positions[i] += 0.5 * h * v
        velocities[i] = v
      }
      try score(configuration, &scores)
      var fastest = 0.0
      for i in velocities.indices {
        velocities[i] += 0.5 * h * scores[i]
        fastest = max(fastest, dot(velocities[i], velocities[i]))
      }
      // No thermal velocity is ten times the usual one.
      guard fastest < 300 else { return false }
    }
    return true
  }
}
