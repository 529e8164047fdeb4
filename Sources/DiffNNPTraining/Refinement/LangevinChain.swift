import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// A configuration that moves by Langevin dynamics in the potential being trained, with kT = 1: the BAOAB integrator
/// (Leimkuhler & Matthews, Appl. Math. Res. Express 2013, 34), whose configurations are right to second order in the
/// time step and exact for harmonic wells.
///
/// Masses do not matter to configurations, so they are chosen for speed: with the mean curvature of the potential along
/// a coordinate as mass, atoms of all types oscillate with a frequency of about 1.
struct LangevinChain: Equatable, Sendable {
  var positions: [SIMD3<Double>]
  var velocities: [SIMD3<Double>]

  /// Time step in units of the inverse frequency, which is about 1; it still resolves the stiffest oscillations, which
  /// are several times faster.
  static let timeStep = 0.1
  /// Friction in the same units: velocities lose their memory in twenty steps.
  private static let friction = 0.5

  /// A chain with zero velocities, which the thermostat soon changes.
  init(_ positions: [SIMD3<Double>]) {
    self.positions = positions
    velocities = Array(repeating: .zero, count: positions.count)
  }

  /// Makes `count` steps from here. The potential may have changed since the last call.
  /// - Parameters:
  ///   - configuration: says cell and types; its positions become the chain's.
  ///   - masses: of each type (kT/Å²).
  ///   - score: writes the score (1/Å) at a configuration.
  /// - Returns: false where an atom became absurdly fast; the chain must then be restarted.
  mutating func advance(
    _ count: Int, _ configuration: inout Configuration, masses: [Double], using random: inout Philox,
    score: (Configuration, inout [SIMD3<Double>]) throws -> Void
  ) rethrows -> Bool {
    let h = Self.timeStep
    let keep = exp(-Self.friction * h)
    let kick = (1 - keep * keep).squareRoot()
    let inverseMasses = configuration.types.map { 1 / masses[$0] }
    let thermal = inverseMasses.map { $0.squareRoot() }
    configuration.positions = positions
    var scores: [SIMD3<Double>] = []
    try score(configuration, &scores)
    for _ in 0..<count {
      for i in velocities.indices {
        var v = velocities[i] + 0.5 * h * inverseMasses[i] * scores[i]
        configuration.positions[i] += 0.5 * h * v
        v = keep * v + kick * thermal[i] * random.normal3()
        configuration.positions[i] += 0.5 * h * v
        velocities[i] = v
      }
      try score(configuration, &scores)
      var isFine = true
      for i in velocities.indices {
        velocities[i] += 0.5 * h * inverseMasses[i] * scores[i]
        // What is no number is not less either.
        isFine = isFine && dot(velocities[i], velocities[i]) / inverseMasses[i] < Self.absurdEnergy
      }
      guard isFine else { return false }
    }
    positions = configuration.positions
    return true
  }

  /// Twice a kinetic energy (kT) that no atom reaches by chance: exp(-150).
  private static let absurdEnergy = 300.0
}
