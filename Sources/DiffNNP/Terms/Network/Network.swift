/// A network of the NequIP family with its parameters. Immutable.
public final class Network: @unchecked Sendable {
  /// Hyperparameters.
  public let architecture: NetworkArchitecture
  /// All parameters, in the order of the plan's tensors [parameterCount].
  public let parameters: [Double]
  let plan: NetworkPlan

  /// A network with given parameters.
  /// - Throws: where the architecture is outside the family, or the number of parameters is not what it has.
  public init(_ architecture: NetworkArchitecture, parameters: [Double]) throws {
    let plan = try NetworkPlan(architecture)
    guard parameters.count == plan.parameterCount else {
      throw DiffNNPError("network: \(parameters.count) parameters; this architecture has \(plan.parameterCount)")
    }
    guard parameters.allSatisfy(\.isFinite) else { throw DiffNNPError("network: a parameter is not finite") }
    self.architecture = architecture
    self.parameters = parameters
    self.plan = plan
  }

  /// A network from tensors under nequip's state-dict names. Missing scales, shifts and `scale_by` mean 1, 0 and 1.
  /// - Throws: where a tensor is missing, is of another shape, or does not belong to the architecture.
  public convenience init(_ architecture: NetworkArchitecture, tensors: [NamedTensor]) throws {
    let plan = try NetworkPlan(architecture)
    var given: [String: NamedTensor] = [:]
    for tensor in tensors where given.updateValue(tensor, forKey: tensor.name) != nil {
      throw DiffNNPError("tensor \(tensor.name) is given twice")
    }
    // Grows with what is there, not with what the architecture claims.
    var parameters: [Double] = []
    for expected in plan.tensors {
      if let tensor = given.removeValue(forKey: expected.name) {
        guard Self.squeezed(tensor.shape) == Self.squeezed(expected.shape), tensor.values.count == expected.count else {
          throw DiffNNPError("tensor \(expected.name) has shape \(tensor.shape); expected \(expected.shape)")
        }
        parameters += tensor.values
      } else if let value = Self.defaults[expected.name] {
        parameters += repeatElement(value, count: expected.count)
      } else if expected.count > 0 {
        throw DiffNNPError("tensor \(expected.name) of shape \(expected.shape) is missing")
      }
    }
    if let stranger = given.keys.sorted().first {
      throw DiffNNPError("tensor \(stranger) has no place in the architecture that the file declares")
    }
    try self.init(architecture, parameters: parameters)
  }

  /// A shape without extents of one, which are written in several ways.
  private static func squeezed(_ shape: [Int]) -> [Int] { shape.filter { $0 != 1 } }

  private static let defaults = [
    "model.func.per_species_rescale.scales": 1.0, "model.func.per_species_rescale.shifts": 0, "scale_by": 1,
  ]

  /// The parameters as tensors under nequip's state-dict names.
  public var tensors: [NamedTensor] {
    plan.tensors.filter { $0.count > 0 }.map {
      NamedTensor(name: $0.name, shape: $0.shape, values: Array(parameters[$0.offset..<$0.offset + $0.count]))
    }
  }

  /// Number of all parameters, those that do not reach the energy included.
  /// - Throws: where the architecture is outside the family.
  public static func parameterCount(_ architecture: NetworkArchitecture) throws -> Int {
    try NetworkPlan(architecture).parameterCount
  }

  func packed<W: PlainLanes>(intervals: Int) -> PackedWeights<W> where W.Scalar: BinaryFloatingPoint {
    let weights = PackedWeights<W>(NetworkLayout(plan, width: W.scalarCount), intervals: intervals)
    var knots: [PackedWeights<W>.RadialKnots] = []
    weights.pack(parameters, radial: &knots)
    return weights
  }
}
