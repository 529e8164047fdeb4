/// Placeholder shape of the network, until the architecture is complete.
public final class Network: @unchecked Sendable {
  public let architecture: NetworkArchitecture
  /// Tensors by NequIP's names: name, shape, values in row-major order.
  public let tensors: [NamedTensor]

  public init(architecture: NetworkArchitecture, tensors: [NamedTensor]) throws {
    self.architecture = architecture
    self.tensors = tensors
  }

  func makeEvaluator(_ precision: Precision) -> NetworkEvaluating { fatalError("no network yet") }
}

/// A tensor of a weight file.
public struct NamedTensor: Equatable, Sendable {
  public var name: String
  public var shape: [Int]
  public var values: [Double]

  public init(name: String, shape: [Int], values: [Double]) {
    self.name = name
    self.shape = shape
    self.values = values
  }
}

/// Hyperparameters of a network of the NequIP family.
public struct NetworkArchitecture: Equatable, Sendable {
  public var typeNames: [String]
  /// Cutoff (Å).
  public var rMax: Double
  /// The remaining hyperparameters under NequIP's configuration keys, as JSON text.
  public var json: String

  public init(typeNames: [String], rMax: Double, json: String) {
    self.typeNames = typeNames
    self.rMax = rMax
    self.json = json
  }
}
