/// The architecture as JSON with NequIP's configuration keys, and `floor`.
extension NetworkArchitecture {
  /// The configuration as JSON, under NequIP's keys.
  public var json: JSONValue {
    let members: [JSONValue.Member] = [
      .init("r_max", .number(rMax)),
      .init("num_layers", JSONValue(numLayers)),
      .init("chemical_embedding_irreps_out", .string(chemicalEmbedding.description)),
      .init("feature_irreps_hidden", .string(features.description)),
      .init("irreps_edge_sh", .string(edgeHarmonics.description)),
      .init("conv_to_output_hidden_irreps_out", .string(outputHidden.description)),
      .init("num_basis", JSONValue(numBasis)),
      .init("PolynomialCutoff_p", .number(cutoffExponent)),
      .init("invariant_layers", JSONValue(invariantLayers)),
      .init("invariant_neurons", JSONValue(invariantNeurons)),
      .init("avg_num_neighbors", avgNumNeighbors.map { .number($0) } ?? .null),
      .init("use_sc", .bool(useSelfConnection)),
      .init("nonlinearity_type", "gate"),
      .init("nonlinearity_scalars", nonlinearityScalars.json),
      .init("nonlinearity_gates", nonlinearityGates.json),
      .init("num_types", JSONValue(typeNames.count)),
      .init("type_names", JSONValue(typeNames)),
    ]
    return .object(members + floor.json)
  }

  /// Reads a configuration. Keys that NequIP derives from `l_max`, `num_features` and `parity` may be given through
  /// these instead.
  /// - Throws: where a key is missing or malformed, or asks for what is outside the family.
  public init(json: JSONValue) throws {
    let reader = ConfigurationReader(json)
    typeNames = try reader.get("type_names", "a list of names", \.strings)
    let count = try reader.get("num_types", "a whole number", \.int, default: typeNames.count)
    guard count == typeNames.count else {
      throw DiffNNPError("network configuration: num_types is \(count), but type_names has \(typeNames.count)")
    }
    rMax = try reader.get("r_max", "a distance in Å", \.double)
    numLayers = try reader.get("num_layers", "a whole number", \.int)
    let simple = try SimpleIrreps(reader)
    chemicalEmbedding = try reader.irreps("chemical_embedding_irreps_out") { try simple.chemicalEmbedding() }
    features = try reader.irreps("feature_irreps_hidden") { try simple.features() }
    edgeHarmonics = try reader.irreps("irreps_edge_sh") { try simple.edgeHarmonics() }
    outputHidden = try reader.irreps("conv_to_output_hidden_irreps_out") { try simple.outputHidden() }
    numBasis = try reader.get("num_basis", "a whole number", \.int, default: 8)
    cutoffExponent = try reader.get("PolynomialCutoff_p", "a number", \.double, default: 6)
    invariantLayers = try reader.get("invariant_layers", "a whole number", \.int, default: 2)
    invariantNeurons = try reader.get("invariant_neurons", "a whole number", \.int, default: 64)
    let neighbours = json["avg_num_neighbors"] ?? .null
    avgNumNeighbors =
      neighbours == .null ? nil : try reader.get("avg_num_neighbors", "a number or null", \.double)
    useSelfConnection = try reader.get("use_sc", "true or false", \.bool, default: true)
    nonlinearityScalars = try Nonlinearity(reader, "nonlinearity_scalars")
    nonlinearityGates = try Nonlinearity(reader, "nonlinearity_gates")
    floor = try naming("network configuration") { try DistanceFloor(json: json, typeCount: count) }
    try reader.require("nonlinearity_type", isAbsentOr: "gate")
    try reader.require("resnet", isAbsentOr: false)
  }
}

extension NetworkArchitecture.Nonlinearity {
  fileprivate var json: JSONValue { .object([.init("e", .string(even)), .init("o", .string(odd))]) }

  fileprivate init(_ reader: ConfigurationReader, _ key: String) throws {
    self.init()
    guard let value = reader.json[key] else { return }
    guard let even = value["e"]?.string, let odd = value["o"]?.string else {
      throw DiffNNPError("network configuration: \(key) must name a function for e and one for o")
    }
    self.init(even: even, odd: odd)
  }
}

/// Typed access with one clear line for what is wrong.
private struct ConfigurationReader {
  let json: JSONValue

  init(_ json: JSONValue) { self.json = json }

  func get<T>(
    _ key: String, _ expected: String, _ cast: (JSONValue) -> T?, default fallback: T? = nil
  ) throws -> T {
    guard let value = json[key] else {
      if let fallback { return fallback }
      throw DiffNNPError("network configuration: \(key) is missing; expected \(expected)")
    }
    guard let result = cast(value) else {
      throw DiffNNPError("network configuration: \(key) is \(Self.excerpt(value)); expected \(expected)")
    }
    return result
  }

  func irreps(_ key: String, otherwise derived: () throws -> Irreps) throws -> Irreps {
    guard json[key] != nil else { return try derived() }
    let text = try get(key, "irreps, as in 8x0e+8x1o", \.string)
    return try naming("network configuration: \(key)") { try Irreps(text) }
  }

  func require(_ key: String, isAbsentOr expected: JSONValue) throws {
    if let value = json[key], value != expected {
      throw DiffNNPError(
        "network configuration: \(key) is \(Self.excerpt(value)), which is not supported; expected \(expected.serialised())"
      )
    }
  }

  /// A value as a message shows it: in one line, and not all of a long one.
  private static func excerpt(_ value: JSONValue) -> String {
    let text = value.serialised()
    return text.count > 60 ? text.prefix(60) + "…" : text
  }
}

/// The irreps that nequip's SimpleIrrepsConfig derives from `l_max`, `num_features` and `parity`.
private struct SimpleIrreps {
  let reader: ConfigurationReader

  init(_ reader: ConfigurationReader) throws { self.reader = reader }

  private func values() throws -> (lMax: Int, features: Int, parity: Bool) {
    let lMax = try reader.get("l_max", "0 to 3", { $0.int.flatMap { (0...3).contains($0) ? $0 : nil } })
    let features = try reader.get(
      "num_features", "1 to 1024", { $0.int.flatMap { (1...1024).contains($0) ? $0 : nil } })
    return (lMax, features, try reader.get("parity", "true or false", \.bool, default: true))
  }

  func chemicalEmbedding() throws -> Irreps { Irreps([.init(try values().features, .scalar)]) }

  func outputHidden() throws -> Irreps { Irreps([.init(max(1, try values().features / 2), .scalar)]) }

  func edgeHarmonics() throws -> Irreps {
    let (lMax, _, parity) = try values()
    return Irreps((0...lMax).map { .init(1, Irrep($0, parity && $0 % 2 == 1 ? -1 : 1)) })
  }

  func features() throws -> Irreps {
    let (lMax, features, parity) = try values()
    return Irreps((parity ? [1, -1] : [1]).flatMap { p in (0...lMax).map { .init(features, Irrep($0, p)) } })
  }
}
