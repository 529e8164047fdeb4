/// Limits on temperatures that are accepted.
public enum Temperature {
  /// Temperatures of classical systems (K): values outside are wrong units or typing errors, and would overflow in what
  /// follows.
  public static let sensible = 1e-3...1e7

  /// Checks that a temperature (K) is within `sensible`.
  /// - Throws: where it is none of a classical system.
  public static func check(_ kelvin: Double) throws {
    guard sensible.contains(kelvin) else {
      throw DiffNNPError(
        "temperature is \(kelvin) K; expected \(sensible.lowerBound) to \(Int(sensible.upperBound)) K")
    }
  }
}

/// Boltzmann's constant (eV/K), CODATA 2018.
public let boltzmannConstant = 8.617333262e-5
