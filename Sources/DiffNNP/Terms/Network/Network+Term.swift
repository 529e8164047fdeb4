import CProcessor

extension Network: Term {
  public static let name = "network"
  /// Empty: tensors have the names of nequip's state dict, which have no prefix in common.
  public static let tensorPrefix = ""

  public var typeCount: Int { architecture.typeNames.count }
  public var rMax: Double { architecture.rMax }
  public var isManyBody: Bool { true }

  public var summary: [String] {
    let a = architecture
    return [
      "NequIP, \(a.numLayers) layers, features \(a.features), \(parameters.count) parameters",
      "edges \(a.edgeHarmonics), \(a.numBasis) Bessel functions up to \(a.rMax) Å",
    ]
  }

  public var stored: StoredTerm { StoredTerm(settings: architecture.json, tensors: tensors) }
  public var tensorNames: [String] { plan.tensors.filter { $0.count > 0 }.map(\.name) }

  public convenience init(_ stored: StoredTerm, typeNames: [String]) throws {
    let architecture = try NetworkArchitecture(json: stored.settings)
    guard architecture.typeNames == typeNames else {
      throw DiffNNPError("metadata \"network\" names other types than \"type_names\"")
    }
    // Before anything of the size that the metadata claim is made.
    let expected = try Network.parameterCount(architecture)
    let found = stored.tensors.reduce(0) { $0 + $1.values.count }
    guard expected == found else {
      throw DiffNNPError(
        "the network's tensors have \(found) elements, but its architecture has \(expected) parameters")
    }
    try self.init(architecture, tensors: stored.tensors)
  }

  /// Numbers of each atom that travel before each layer but the first, whose features depend on types alone, and whose
  /// gradients travel on the way back.
  public var exchangeWidths: [Int] {
    plan.layers.dropFirst().map { $0.inputs.reduce(0) { $0 + $1.irrep.dimension * $1.multiplicity } }
  }

  public func makeEvaluator(_ precision: Precision, energyScale: Double) -> TermEvaluator {
    switch precision {
    case .single:
      let intervals = RadialResolution.intervals(plan, parameters: parameters, energyScale: energyScale)
      let wideLanes = Int(PROCESSOR_WIDE_VECTOR_BYTES) / MemoryLayout<Float>.stride
      return plan.fillsLanes(of: wideLanes)
        ? .graph(NetworkGraphEvaluator(NetworkEvaluator<SIMD16<Float>>(packed(intervals: intervals))))
        : .graph(NetworkGraphEvaluator(NetworkEvaluator<SIMD8<Float>>(packed(intervals: intervals))))
    case .double:
      let radial = plan.layers.indices.map { layer in
        parameters.withUnsafeBufferPointer {
          RadialNetwork<Dual<Double>>(plan, layer: layer, parameters: $0.baseAddress!)
        }
      }
      return .graph(NetworkGraphEvaluator(NetworkEvaluator<SIMD4<Double>>(packed(intervals: 1), exactRadial: radial)))
    }
  }
}

extension StageClock.Stage {
  /// Edges within the network's cutoff, their directions, harmonics and positions in the radial tables.
  static let geometry = Self(name: "geometry")
  /// Radial tables and tensor products, forward.
  static let messages = Self(name: "messages")
  /// Linear maps, activations and readout, forward.
  static let features = Self(name: "features")
  /// As `messages`, on the way back, to forces and virials.
  static let messagesBackward = Self(name: "messagesBackward")
  /// As `features`, on the way back.
  static let featuresBackward = Self(name: "featuresBackward")
}

private final class NetworkGraphEvaluator<W: PlainLanes>: GraphEvaluating where W.Scalar: BinaryFloatingPoint {
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
