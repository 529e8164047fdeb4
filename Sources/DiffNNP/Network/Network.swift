import CProcessor

/// A tensor of a weight file.
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

/// A network of the NequIP family with its parameters. Immutable.
public final class Network: @unchecked Sendable {
  public let architecture: NetworkArchitecture
  /// All parameters, in the order of `tensorShapes`.
  public let parameters: [Double]
  let plan: NetworkPlan

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

  /// From tensors under nequip's state-dict names. Missing scales, shifts and `scale_by` mean 1, 0 and 1.
  /// - Throws: where a tensor is missing, is of another shape, or has no place in the architecture.
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
  public static func parameterCount(_ architecture: NetworkArchitecture) throws -> Int {
    try NetworkPlan(architecture).parameterCount
  }

  /// How many numbers of each atom travel before each layer but the first, whose features depend on types alone, and
  /// their gradients on the way back.
  public var exchangeWidths: [Int] {
    plan.layers.dropFirst().map { $0.inputs.reduce(0) { $0 + $1.irrep.dimension * $1.multiplicity } }
  }

  /// - Parameter energyScale: eV for one unit of the network's energy.
  func makeEvaluator(_ precision: Precision, energyScale: Double) -> NetworkEvaluating {
    switch precision {
    case .single:
      let intervals = RadialResolution.intervals(plan, parameters: parameters, energyScale: energyScale)
      let wideLanes = Int(PROCESSOR_WIDE_VECTOR_BYTES) / MemoryLayout<Float>.stride
      return plan.fillsLanes(of: wideLanes)
        ? NetworkTerm(NetworkEvaluator<SIMD16<Float>>(packed(intervals: intervals)))
        : NetworkTerm(NetworkEvaluator<SIMD8<Float>>(packed(intervals: intervals)))
    case .double:
      let radial = plan.layers.indices.map { layer in
        parameters.withUnsafeBufferPointer {
          RadialNetwork<Dual<Double>>(plan, layer: layer, parameters: $0.baseAddress!)
        }
      }
      return NetworkTerm(NetworkEvaluator<SIMD4<Double>>(packed(intervals: 1), exactRadial: radial))
    }
  }

  private func packed<W: PlainLanes>(intervals: Int) -> PackedWeights<W> where W.Scalar: BinaryFloatingPoint {
    let weights = PackedWeights<W>(NetworkLayout(plan, width: W.scalarCount), intervals: intervals)
    var knots: [PackedWeights<W>.RadialKnots] = []
    weights.pack(parameters, radial: &knots)
    return weights
  }
}

/// A network as a term of a potential.
private final class NetworkTerm<W: PlainLanes>: NetworkEvaluating where W.Scalar: BinaryFloatingPoint {
  private let evaluator: NetworkEvaluator<W>
  var clock: StageClock? {
    get { evaluator.clock }
    set { evaluator.clock = newValue }
  }

  var team: ThreadTeam? {
    get { evaluator.team }
    set { evaluator.team = newValue }
  }

  init(_ evaluator: NetworkEvaluator<W>) { self.evaluator = evaluator }

  func add(
    _ edges: KeptEdges, exchange: AtomExchange?, scale: Double, energies: UnsafeMutablePointer<Double>,
    forces: ForceSums
  ) throws {
    try evaluator.evaluate(
      edges, exchange: exchange,
      into: .init(energies: energies, forces: forces.isEmpty ? nil : forces, scale: scale))
  }
}
