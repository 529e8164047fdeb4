import DiffNNP

/// The difference of computed forces from given ones, over all components of all atoms.
public struct ForceError: Sendable {
  private var squaredError = 0.0
  private var squared = 0.0
  private var count = 0
  /// Σ F·f and Σ |f|² of the given forces F and the computed ones f, for each frame.
  private var frames: [(numerator: Double, denominator: Double)] = []

  /// A comparison without frames.
  public init() {}

  /// Adds the atoms of a frame, with computed and given forces (eV/Å) [atoms].
  public mutating func add(_ computed: [SIMD3<Double>], given: [SIMD3<Double>]) {
    var sums = (numerator: 0.0, denominator: 0.0)
    for (computed, given) in zip(computed, given) {
      squaredError += dot(computed - given, computed - given)
      squared += dot(given, given)
      count += 3
      sums.numerator += dot(given, computed)
      sums.denominator += dot(computed, computed)
    }
    frames.append(sums)
  }

  /// Whether no atoms have been added.
  public var isEmpty: Bool { count == 0 }
  /// Root mean square per component (eV/Å) of the errors, `rmse`, and of the given forces, `rms`.
  public var rmse: Double { (squaredError / Double(count)).squareRoot() }
  public var rms: Double { (squared / Double(count)).squareRoot() }
  /// The ratio of `rmse` to `rms`.
  public var relative: Double { rmse / rms }

  /// Smallest fraction of the given forces' mean square that the computed ones have to explain before their scale is
  /// judged.
  private static let fewestExplained = 0.05

  /// Checks that the given forces are in eV/Å.
  /// - Throws: where the given forces are all zero, or differ from those of the potential by the factor of a known unit
  ///   or by their sign.
  public func requireUnits() throws {
    guard !isEmpty else { return }
    guard squared > 0 else {
      throw DiffNNPError("all forces of the frames are 0, so they are no forces; leave them out of the file")
    }
    let scale = ForceScale(groups: frames)
    let computed = frames.reduce(0) { $0 + $1.denominator }
    guard scale.slope * scale.slope * computed > Self.fewestExplained * squared, !(1.0 / 3...3 ~= scale.slope),
      let cause = scale.unit
    else { return }
    throw DiffNNPError(
      "the frames' forces are \(scale.text) times those of the model, where 1 is right: \(cause); give them in eV/Å, or say their "
        + "units")
  }
}
