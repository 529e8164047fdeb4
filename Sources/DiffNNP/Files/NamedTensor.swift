/// A tensor with the name that it has in a file.
public struct NamedTensor: Equatable, Sendable {
  /// Name, unique within its file.
  public var name: String
  /// Extent of each dimension, slowest first; empty for a single number.
  public var shape: [Int]
  /// Elements in row-major order [product of `shape`].
  public var values: [Double]

  /// A tensor of its name, shape and row-major elements, as many as the shape says.
  public init(name: String, shape: [Int], values: [Double]) {
    self.name = name
    self.shape = shape
    self.values = values
  }
}
