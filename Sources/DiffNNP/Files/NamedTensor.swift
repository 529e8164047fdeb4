/// A tensor of a file.
public struct NamedTensor: Equatable, Sendable {
  public var name: String
  public var shape: [Int]
  /// Row-major.
  public var values: [Double]

  public init(name: String, shape: [Int], values: [Double]) {
    self.name = name
    self.shape = shape
    self.values = values
  }
}
