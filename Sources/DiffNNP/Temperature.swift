/// What is taken for a temperature.
public enum Temperature {
  /// Kelvin. Beyond are slips of units and of the keyboard, and numbers that overflow in what follows.
  public static let sensible = 1e-3...1e7

  /// - Throws: where it is none of a classical system.
  public static func check(_ kelvin: Double) throws {
    guard sensible.contains(kelvin) else {
      throw DiffNNPError(
        "temperature is \(kelvin) K; expected \(sensible.lowerBound) to \(Int(sensible.upperBound)) K")
    }
  }
}
