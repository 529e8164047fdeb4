import Testing

@testable import DiffNNP

/// Architectures and tensors from files that are wrong, or meant to do harm.
@Suite struct NetworkRobustnessTests {
  static let valid: [JSONValue.Member] = [
    .init("type_names", ["A", "B"]), .init("r_max", 4), .init("num_layers", 2), .init("l_max", 1),
    .init("num_features", 4), .init("parity", true), .init("avg_num_neighbors", 9), .init("invariant_neurons", 8),
  ]

  private func with(_ changes: [(String, JSONValue?)]) -> JSONValue {
    .object(
      Self.valid.filter { member in !changes.contains { $0.0 == member.key } }
        + changes.compactMap { key, value in value.map { .init(key, $0) } })
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "no error"
    } catch let error as DiffNNPError {
      return error.message
    } catch {
      return "an error of another type"
    }
  }

  private func expectRefusal(
    _ key: String, _ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let message = message(body)
    #expect(message.contains(key), "\(message)", sourceLocation: sourceLocation)
    #expect(!message.contains("\n") && message.count < 250, "\(message)", sourceLocation: sourceLocation)
  }

  static let numbers: [(String, JSONValue)] = ["num_layers", "num_features", "l_max", "num_basis", "invariant_layers"]
    .flatMap { key in
      [-1, 1e9, 1e18, 1e300, 0.5, .null, "two", [1], .bool(true), [:]].map { (key, $0) }
    }
  static let others: [(String, JSONValue)] = [
    ("num_layers", 0), ("num_features", 0), ("num_basis", 0), ("invariant_layers", 0),
    ("r_max", 0), ("r_max", -1), ("r_max", 1e300), ("r_max", .number(.nan)), ("r_max", .number(.infinity)),
    ("r_max", "4"), ("invariant_neurons", 1e9), ("PolynomialCutoff_p", 1), ("PolynomialCutoff_p", 1e9),
    ("avg_num_neighbors", 0), ("avg_num_neighbors", -3), ("avg_num_neighbors", "auto"), ("type_names", []),
    ("type_names", ["A", 1]), ("type_names", "A"), ("num_types", 3), ("parity", 1), ("use_sc", 0), ("resnet", true),
    ("nonlinearity_type", "norm"), ("nonlinearity_scalars", ["e": "silu"]),
    ("nonlinearity", .object([.init("e", "relu"), .init("o", "tanh")])),
    ("chemical_embedding_irreps_out", "4x1o"), ("chemical_embedding_irreps_out", "70000x0e"),
    ("conv_to_output_hidden_irreps_out", "2x0e+2x1o"), ("conv_to_output_hidden_irreps_out", "0x0e"),
    ("irreps_edge_sh", "1x1o"), ("irreps_edge_sh", "2x0e"), ("irreps_edge_sh", "1x0e+1x1o+1x2e+1x3o+1x4e"),
    ("irreps_edge_sh", "1x0o"), ("irreps_edge_sh", "1x0e+1x1e+1x2e+1x3o"),
    ("feature_irreps_hidden", "4x0e+4x4e"), ("feature_irreps_hidden", "4x0e+4x0e"), ("feature_irreps_hidden", ""),
    ("feature_irreps_hidden", "4y0e\n"), ("feature_irreps_hidden", "99999999999999999999x0e"),
    ("feature_irreps_hidden", "x0e"), ("feature_irreps_hidden", "4x-1e"), ("feature_irreps_hidden", "4"),
    ("feature_irreps_hidden", .string(String(repeating: "é\n", count: 10000))),
  ]

  @Test(arguments: numbers + others)
  func refusesArchitectures(_ key: String, _ value: JSONValue) throws {
    let scalars: [(String, JSONValue?)] = key == "nonlinearity" ? [("nonlinearity_scalars", value)] : [(key, value)]
    expectRefusal(key) {
      _ = try Network.parameterCount(NetworkArchitecture(json: with(scalars)))
    }
  }

  @Test(arguments: ["type_names", "r_max", "num_layers", "l_max", "num_features"])
  func namesWhatIsMissing(_ key: String) {
    expectRefusal("\(key) is missing") { _ = try NetworkArchitecture(json: with([(key, nil)])) }
  }

  @Test func refusesWhatReachesNoEnergy() {
    expectRefusal("even scalars (0e)") {
      _ = try NetworkPlan(NetworkArchitecture(json: with([("feature_irreps_hidden", "4x1o")])))
    }
    expectRefusal("no features") {
      _ = try NetworkPlan(
        NetworkArchitecture(json: with([("feature_irreps_hidden", "4x2e"), ("irreps_edge_sh", "1x0e+1x1o")])))
    }
    expectRefusal("odd scalars") {
      _ = try NetworkPlan(
        NetworkArchitecture(
          json: with([
            ("feature_irreps_hidden", "4x0e+4x0o+4x1o+4x1e"), ("num_layers", 3),
            ("nonlinearity_scalars", ["e": "silu", "o": "silu"]),
          ])))
    }
  }

  /// The largest network of the family, with the tensors of a small one: refused before anything of its size is made.
  @Test func hugeArchitecturesCostNothing() throws {
    let names = (0..<256).map { "T\($0)" }
    let huge = try NetworkArchitecture(
      json: with([
        ("type_names", JSONValue(names)), ("num_layers", 16), ("l_max", 3), ("num_features", 1024),
        ("num_basis", 64), ("invariant_layers", 8), ("invariant_neurons", 1024),
      ]))
    let count = try Network.parameterCount(huge)
    #expect(count > 1 << 34 && count < 1 << 50)
    let small = try NetworkArchitecture(json: with([]))
    let parameters = [Double](repeating: 0, count: try Network.parameterCount(small))
    let tensors = try Network(small, parameters: parameters).tensors
    expectRefusal("expected [") { _ = try Network(huge, tensors: tensors) }
    expectRefusal("is missing") { _ = try Network(huge, tensors: []) }
    expectRefusal("this architecture has \(count)") { _ = try Network(huge, parameters: []) }
  }

  @Test func refusesTensors() throws {
    let architecture = try NetworkArchitecture(json: with([]))
    let parameters = (0..<(try Network.parameterCount(architecture))).map { Double($0) }
    let tensors = try Network(architecture, parameters: parameters).tensors
    #expect(try Network(architecture, tensors: tensors).parameters == parameters)
    let radial = try #require(tensors.firstIndex { $0.name.hasSuffix("layer1_convnet.conv.fc.layer2.weight") })

    func refused(_ key: String, _ change: (inout [NamedTensor]) -> Void) {
      var changed = tensors
      change(&changed)
      expectRefusal(key) { _ = try Network(architecture, tensors: changed) }
    }
    refused("is missing") { $0.remove(at: radial) }
    refused("is given twice") { $0.append($0[radial]) }
    refused("expected [8, ") { $0[radial].shape.reverse() }
    refused("expected [8, ") { $0[radial].values.removeLast() }
    refused("has no place") {
      $0.append(.init(name: "model.func.layer2_convnet.conv.sc.weight", shape: [], values: [1]))
    }
    refused("not finite") { $0[radial].values[0] = .nan }
    // What the file may leave out, or write with other extents of one.
    var loose = tensors.filter { $0.name != "scale_by" }
    for k in loose.indices where loose[k].shape.count == 1 { loose[k].shape.append(1) }
    #expect(try Network(architecture, tensors: loose).parameters[NetworkPlan(architecture).scaleBy] == 1)
  }

  /// Weights at the ends of what a number can be give no sensible energy, but stop nothing.
  @Test(arguments: [1e300, 1e-300, -1e38])
  func extremeWeightsDoNotTrap(_ weight: Double) throws {
    let architecture = try NetworkArchitecture(json: with([("type_names", ["A", "B", "C"])]))
    let parameters = [Double](repeating: weight, count: try Network.parameterCount(architecture))
    let potential = try Potential(
      typeNames: ["A", "B", "C"], energyScale: 1, terms: [Network(architecture, parameters: parameters)])
    for precision in Precision.allCases {
      _ = try Evaluator(potential, precision: precision).evaluate(SampleConfiguration.periodic())
    }
  }
}
