/// A potential as a safetensors file: docs/FORMAT.md says what is in it.
public enum WeightFile {
  /// Value of the metadata key `format`.
  public static let format = "diffnnp"
  /// Version of the format that is written and read: metadata key `format_version`.
  public static let version = 1
  /// Prefix of the names of the grade's tensors.
  private static let gradePrefix = "grade."
  /// Most members of a sound file: more are a sign of damage.
  private static let mostMembers = 100

  /// The bytes of the file.
  /// - Throws: where a number is not finite.
  public static func encode(_ potential: Potential) throws -> [UInt8] {
    var file = SafetensorsFile(metadata: metadata(of: potential), tensors: [])
    for (k, member) in potential.members.enumerated() { addTerms(of: member, to: &file, prefix: memberPrefix(k)) }
    if let grade = potential.grade { add(grade, to: &file) }
    try checkFinite(file.tensors)
    file.metadata["checksum"] = checksum(file)
    return file.serialised()
  }

  /// The potential in a weight file.
  /// - Parameter kinds: of terms that it may hold.
  /// - Throws: where it is not a complete, undamaged weight file of a known version.
  public static func decode(
    _ bytes: [UInt8], kinds: [any Term.Type] = TermRegistry.kinds
  ) throws -> Potential {
    let file = try SafetensorsFile(bytes: bytes)
    try checkOrigin(file)
    let metadata = Metadata(file.metadata)
    let checksum = Self.checksum(file)
    guard try metadata.text("checksum") == checksum else {
      throw DiffNNPError("its checksum is wrong: the weight file was damaged or edited; copy or train it again")
    }
    try checkFinite(file.tensors)
    for (key, unit) in [("energy_unit", "eV"), ("length_unit", "Angstrom")] where try metadata.text(key) != unit {
      throw DiffNNPError("\(key) is \(try metadata.text(key)); expected \(unit)")
    }
    let typeNames = try metadata.typeNames()
    if let stranger = try metadata.terms().first(where: { name in !kinds.contains { $0.name == name } }) {
      throw DiffNNPError("it holds a term \"\(stranger)\", which this program does not know; use a later diffnnp")
    }
    let energyScale = try metadata.number("energy_scale")
    let members = try members(file, metadata, kinds).map { part in
      let terms = try terms(part, Metadata(part.metadata), typeNames, kinds)
      guard !terms.isEmpty else {
        throw DiffNNPError(
          "it holds no term; expected one of \(kinds.map { $0.name }.joined(separator: ", "))")
      }
      return try Potential(typeNames: typeNames, energyScale: energyScale, terms: terms)
    }
    let potential = try Potential(
      typeNames: typeNames, energyScale: energyScale, terms: members[0].terms,
      grade: try grade(file, metadata, typeCount: typeNames.count), others: Array(members.dropFirst()),
      metadata: try metadata.potentialMetadata(
        pairCount: TypePairs.count(typeNames.count), typeCount: typeNames.count),
      checksum: checksum)
    guard try metadata.number("r_max") == potential.rMax else {
      throw DiffNNPError("r_max is \(try metadata.number("r_max")) Å, but the terms reach to \(potential.rMax) Å")
    }
    return potential
  }

  // MARK: Writing

  private static func metadata(of potential: Potential) -> [String: String] {
    var values = [
      "format": format, "format_version": String(version), "energy_unit": "eV", "length_unit": "Angstrom",
      "type_names": JSONValue(potential.typeNames).serialised(), "energy_scale": potential.energyScale.description,
      "r_max": potential.rMax.description, "terms": JSONValue(potential.terms.map(\.name)).serialised(),
    ]
    let metadata = potential.metadata
    values["temperature"] = metadata.temperature?.description
    values["density"] = metadata.densities.map { JSONValue($0).serialised() }
    values["cell"] = metadata.cell.map { JSONValue.array($0.map { JSONValue([$0.x, $0.y, $0.z]) }).serialised() }
    values["sigma"] = metadata.sigma?.description
    values["smallest_distances"] = metadata.smallestDistances.map { JSONValue($0).serialised() }
    if !metadata.provenance.isEmpty {
      let sorted = metadata.provenance.sorted { $0.key < $1.key }
      values["provenance"] = JSONValue.object(sorted.map { .init($0.key, .string($0.value)) }).serialised()
    }
    if !potential.others.isEmpty { values["members"] = String(potential.members.count) }
    return values
  }

  /// Prefix of the names of tensors, and of the metadata keys of terms, for ensemble members counted from 0.
  private static func memberPrefix(_ k: Int) -> String { k == 0 ? "" : "member\(k + 1)." }

  private static func addTerms(of potential: Potential, to file: inout SafetensorsFile, prefix: String) {
    for term in potential.terms {
      let stored = term.stored
      file.metadata[prefix + term.name] = stored.settings.serialised()
      file.tensors += stored.tensors.map {
        NamedTensor(name: prefix + $0.name, shape: $0.shape, values: $0.values)
      }
    }
  }

  private static func add(_ grade: ExtrapolationGrade, to file: inout SafetensorsFile) {
    let (surroundings, types) = (grade.surroundings, grade.surroundings.typeCount)
    file.metadata["grade"] =
      (["r_max": .number(surroundings.rMax), "intervals": JSONValue(surroundings.intervals)] as JSONValue).serialised()
    let values = [grade.means, grade.whitening, grade.closest]
    for (tensor, values) in zip(gradeTensors(types, surroundings.dimension), values) {
      file.tensors.append(NamedTensor(name: gradePrefix + tensor.name, shape: tensor.shape, values: values))
    }
  }

  /// Names, without the prefix, and shapes of the grade's tensors.
  private static func gradeTensors(_ types: Int, _ dimension: Int) -> [(name: String, shape: [Int])] {
    [
      ("means", [types, dimension]), ("whitening", [types, dimension, dimension]),
      ("closest", [TypePairs.count(types)]),
    ]
  }

  // MARK: Reading

  private static func checkOrigin(_ file: SafetensorsFile) throws {
    guard file.metadata["format"] == format else {
      if file.metadata["format"] == "nequip-state-dict" || file.tensors.contains(where: { isNequIP($0.name) }) {
        throw DiffNNPError(
          "these are a NequIP model's tensors; convert them with: diffnnp import-nequip FILE -o model.safetensors")
      }
      let found = file.metadata["format"].map { "its format is \"\($0)\"" } ?? "it does not name its format"
      throw DiffNNPError("not a diffnnp weight file: \(found), expected \"\(format)\"")
    }
    let found = file.metadata["format_version"] ?? "not given"
    guard found == String(version) else {
      throw DiffNNPError("its format version is \(found), this program reads \(version); use the diffnnp that wrote it")
    }
  }

  private static func isNequIP(_ name: String) -> Bool {
    name.split(separator: ".").contains { $0 == "chemical_embedding" || $0.hasSuffix("_convnet") }
  }

  /// The terms of each member, under the names they have in a file of one.
  private static func members(
    _ file: SafetensorsFile, _ metadata: Metadata, _ kinds: [any Term.Type]
  ) throws -> [SafetensorsFile] {
    var first = file
    guard let text = file.metadata["members"] else { return [first] }
    guard let count = Int(text), 2...mostMembers ~= count else {
      throw DiffNNPError("metadata \"members\" is \"\(text)\"; expected 2 to \(mostMembers)")
    }
    var others: [SafetensorsFile] = []
    for k in 1..<count {
      let prefix = memberPrefix(k)
      var member = SafetensorsFile(metadata: [:], tensors: [])
      for kind in kinds { member.metadata[kind.name] = file.metadata[prefix + kind.name] }
      for tensor in first.tensors where tensor.name.hasPrefix(prefix) {
        member.tensors.append(
          NamedTensor(name: String(tensor.name.dropFirst(prefix.count)), shape: tensor.shape, values: tensor.values))
      }
      first.tensors.removeAll { $0.name.hasPrefix(prefix) }
      others.append(member)
    }
    return [first] + others
  }

  /// The terms of a member. A tensor belongs to the kind with the longest prefix that its name begins with.
  private static func terms(
    _ file: SafetensorsFile, _ metadata: Metadata, _ typeNames: [String], _ kinds: [any Term.Type]
  ) throws -> [any Term] {
    var remaining = file.tensors.filter { !$0.name.hasPrefix(gradePrefix) }
    var terms: [any Term] = []
    for kind in kinds.sorted(by: { $0.tensorPrefix.utf8.count > $1.tensorPrefix.utf8.count }) {
      let tensors = remaining.filter { $0.name.hasPrefix(kind.tensorPrefix) }
      remaining.removeAll { $0.name.hasPrefix(kind.tensorPrefix) }
      guard let settings = try metadata.json(kind.name) else {
        guard let first = tensors.first else { continue }
        throw DiffNNPError("there is a tensor \(first.name), but no metadata \"\(kind.name)\"")
      }
      let term = try kind.init(StoredTerm(settings: settings, tensors: tensors), typeNames: typeNames)
      let known = Set(term.tensorNames)
      if let stranger = tensors.first(where: { !known.contains($0.name) }) {
        throw DiffNNPError("tensor \(stranger.name) has no place in the term \"\(kind.name)\"")
      }
      terms.append(term)
    }
    return terms
  }

  private static func grade(
    _ file: SafetensorsFile, _ metadata: Metadata, typeCount: Int
  ) throws -> ExtrapolationGrade? {
    let tensors = file.tensors.filter { $0.name.hasPrefix(gradePrefix) }
    guard let settings = try metadata.json("grade") else {
      if let first = tensors.first { throw DiffNNPError("there is a tensor \(first.name), but no metadata \"grade\"") }
      return nil
    }
    guard let rMax = settings["r_max"]?.double, let intervals = settings["intervals"]?.int else {
      throw DiffNNPError("metadata \"grade\" needs the numbers r_max and intervals")
    }
    let surroundings = try Surroundings(typeCount: typeCount, rMax: rMax, intervals: intervals)
    let expected = gradeTensors(typeCount, surroundings.dimension)
    guard tensors.count == expected.count else {
      throw DiffNNPError(
        "there are \(tensors.count) tensors \(gradePrefix)*; expected "
          + expected.map { gradePrefix + $0.name }.joined(separator: ", "))
    }
    let stored = StoredTerm(settings: settings, tensors: tensors)
    let values = try expected.map { try stored.values(gradePrefix + $0.name, shape: $0.shape) }
    return try ExtrapolationGrade(surroundings, means: values[0], whitening: values[1], closest: values[2])
  }

  private static func checkFinite(_ tensors: [NamedTensor]) throws {
    for tensor in tensors {
      if let k = tensor.values.firstIndex(where: { !$0.isFinite }) {
        throw DiffNNPError("tensor \(tensor.name) has an element that is not finite (number \(k))")
      }
    }
  }

  /// FNV-1a hash of metadata in the order of keys and tensors in the order of names, without the checksum itself.
  static func checksum(_ file: SafetensorsFile) -> String {
    var fingerprint = Fingerprint()
    func add(_ text: String) {
      fingerprint.add(text.utf8)
      fingerprint.add(UInt8(0))
    }
    for (key, value) in file.metadata.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) })
    where key != "checksum" {
      add(key)
      add(value)
    }
    for tensor in file.tensors.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
      add(tensor.name)
      add(tensor.shape.map(String.init).joined(separator: ","))
      for value in tensor.values { fingerprint.add(value.bitPattern) }
    }
    let digits = String(fingerprint.value, radix: 16)
    return "fnv1a64:" + String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// Metadata of a file, with errors that name the key.
  private struct Metadata {
    private let values: [String: String]

    init(_ values: [String: String]) { self.values = values }

    func text(_ key: String) throws -> String {
      guard let value = values[key] else { throw DiffNNPError("metadata \"\(key)\" is missing") }
      return value
    }

    func number(_ key: String) throws -> Double {
      guard let value = Double(try text(key)), value.isFinite else {
        throw DiffNNPError("metadata \"\(key)\" is \"\(try text(key))\"; expected a finite number")
      }
      return value
    }

    func json(_ key: String) throws -> JSONValue? {
      guard let text = values[key] else { return nil }
      do { return try JSONValue(parsing: text) } catch let error as DiffNNPError {
        throw DiffNNPError("metadata \"\(key)\" is \(error.message)")
      }
    }

    /// Names of the terms; none in files of version 0.1, which do not say.
    func terms() throws -> [String] {
      guard let list = try json("terms") else { return [] }
      guard let names = list.strings else { throw DiffNNPError("metadata \"terms\" is not a list of names") }
      return names
    }

    func typeNames() throws -> [String] {
      guard let names = try json("type_names")?.strings else {
        throw DiffNNPError("metadata \"type_names\" is missing, or not a list of names")
      }
      return names
    }

    func potentialMetadata(pairCount: Int, typeCount: Int) throws -> PotentialMetadata {
      var metadata = PotentialMetadata()
      if values["temperature"] != nil { metadata.temperature = try number("temperature") }
      metadata.densities = try densities(typeCount)
      metadata.cell = try cell()
      if values["sigma"] != nil { metadata.sigma = try number("sigma") }
      if let list = try json("smallest_distances") {
        let distances = (list.array ?? []).compactMap { $0 == .null ? .infinity : $0.double }
        guard distances.count == pairCount else {
          throw DiffNNPError("metadata \"smallest_distances\" needs \(pairCount) numbers, one for each pair of types")
        }
        metadata.smallestDistances = distances
      }
      if let provenance = try json("provenance") {
        guard let members = provenance.object else { throw DiffNNPError("metadata \"provenance\" is not an object") }
        for member in members { metadata.provenance[member.key] = member.value.string ?? member.value.serialised() }
      }
      return metadata
    }

    private func densities(_ typeCount: Int) throws -> [Double]? {
      guard let list = try json("density") else { return nil }
      guard let densities = list.doubles, densities.count == typeCount, densities.allSatisfy({ $0 >= 0 }) else {
        throw DiffNNPError("metadata \"density\" needs \(typeCount) numbers from 0 on, one for each type")
      }
      return densities
    }

    private func cell() throws -> [SIMD3<Double>]? {
      guard let list = try json("cell") else { return nil }
      let rows = (list.array ?? []).compactMap(\.doubles)
      guard rows.count == 3, rows.allSatisfy({ $0.count == 3 }) else {
        throw DiffNNPError("metadata \"cell\" needs three vectors of three numbers")
      }
      return rows.map { SIMD3($0[0], $0[1], $0[2]) }
    }
  }
}

extension Potential {
  /// Reads a weight file.
  /// - Throws: where it cannot be read, or is not a complete, undamaged weight file of a known version.
  public static func load(path: String) throws -> Potential {
    let bytes = try FileIO.read(path)
    return try naming(path) { try WeightFile.decode(bytes) }
  }

  /// Writes a weight file beside an old one of this name, and then replaces that.
  /// - Throws: where a number is not finite, or the file cannot be written; a file of this name is then as it was.
  public func save(path: String) throws {
    do { try FileIO.write(WeightFile.encode(self), to: path) } catch let error as DiffNNPError {
      throw error.message.hasPrefix(path) ? error : DiffNNPError("\(path): \(error.message)")
    }
  }
}
