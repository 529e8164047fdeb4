import DiffNNP

/// How far computed forces are from given ones, over all components of all atoms.
public struct ForceError: Sendable {
  private var squaredError = 0.0
  private var squared = 0.0
  private var count = 0

  public init() {}

  /// Adds the atoms of a frame (eV/Å).
  public mutating func add(_ computed: [SIMD3<Double>], given: [SIMD3<Double>]) {
    for (computed, given) in zip(computed, given) {
      squaredError += dot(computed - given, computed - given)
      squared += dot(given, given)
      count += 3
    }
  }

  /// Whether there is nothing to judge by.
  public var isEmpty: Bool { count == 0 }
  /// Root mean square of the errors, and of the given forces (eV/Å).
  public var rmse: Double { (squaredError / Double(count)).squareRoot() }
  public var rms: Double { (squared / Double(count)).squareRoot() }
  /// The first over the second.
  public var relative: Double { rmse / rms }
}
