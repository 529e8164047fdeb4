import DiffNNP

/// The noise on configurations that a network learns from, y = x + σε with ε ~ N(0, I).
public struct NetworkNoise: Equatable, Sendable {
  /// Noise levels (Å), visited in turn; empty for none, where force labels alone are learned.
  public var sigmas: [Double]
  /// Whether each draw comes with both signs, ε and -ε, so that its labels stay finite as σ → 0.
  public var isAntithetic = true
  /// Number of draws per frame, which are reused; nil for a new draw at each visit.
  public var copies: Int?
  /// Factor on positions before noise is added.
  public var positionScale = 1.0

  /// New antithetic draws at each visit.
  public init(sigmas: [Double]) { self.sigmas = sigmas }

  /// The description in checkpoints.
  var json: JSONValue {
    .object([
      .init("sigma", .array(sigmas.map { .number($0) })), .init("antithetic", .bool(isAntithetic)),
      .init("copies", copies.map { JSONValue($0) } ?? .null), .init("scale", .number(positionScale)),
    ])
  }
}
