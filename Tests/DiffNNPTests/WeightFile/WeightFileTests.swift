import Testing

@testable import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct WeightFileTests {
  /// Two types, three intervals, with all of the metadata.
  static func potential() throws -> Potential {
    let pair = try PairTerm(
      typeCount: 2, rMax: 7.5, intervals: 3, free: [1, 0.1, -1 / 3, .leastNonzeroMagnitude, 1e300, -0.0, 2, 3, 4])
    var metadata = PotentialMetadata()
    metadata.temperature = 300
    metadata.densities = [0.003, 1.0 / 3]
    metadata.cell = [[25.3, 0, 0], [0.1, 25, 0], [-3, 0.25, 24]]
    metadata.sigma = 0
    metadata.smallestDistances = [4.25, 2.125, .infinity]
    metadata.provenance = ["program": "diffnnp 0.1", "note": "ions – \"only\""]
    return try Potential(
      typeNames: ["Li", "Cl"], energyScale: 0.02585199, terms: [pair], grade: grade(), metadata: metadata)
  }

  private static func grade() throws -> ExtrapolationGrade {
    try ExtrapolationGrade(
      Surroundings(typeCount: 2, rMax: 6, intervals: 4), means: (0..<16).map { 1 / Double($0 + 1) },
      whitening: (0..<128).map { sin(Double($0)) }, closest: [4.25, 2.125, 6])
  }

  /// Runs `body` with the path of a file in a directory of its own.
  static func withPath(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/diffnnp-test-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
      unlink(directory + "/model.safetensors")
      #expect(rmdir(directory) == 0, "something remains beside the file")
    }
    try body(directory + "/model.safetensors")
  }

  static func message(_ bytes: [UInt8]) -> String {
    do {
      _ = try WeightFile.decode(bytes)
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test func roundTrips() throws {
    let potential = try Self.potential()
    try Self.withPath { path in
      try potential.save(path: path)
      let loaded = try Potential.load(path: path)
      #expect(loaded.typeNames == potential.typeNames)
      #expect(loaded.energyScale == potential.energyScale)
      #expect(loaded.term(PairTerm.self) == potential.term(PairTerm.self))
      #expect(loaded.grade == potential.grade)
      #expect(loaded.metadata == potential.metadata)
      #expect(try loaded.checksum == SafetensorsFile(bytes: FileIO.read(path)).metadata["checksum"])
      // Writing it once more gives the same bytes.
      #expect(try WeightFile.encode(loaded) == FileIO.read(path))
    }
  }

  static let architecture: JSONValue = [
    "r_max": 4, "num_layers": 2, "l_max": 1, "num_features": 4, "avg_num_neighbors": 9, "invariant_neurons": 8,
    "type_names": ["Li", "Cl"],
  ]

  static func withNetwork() throws -> Potential {
    let architecture = try NetworkArchitecture(json: architecture)
    let parameters = (0..<(try Network.parameterCount(architecture))).map { sin(Double($0)) }
    return try Potential(
      typeNames: ["Li", "Cl"], energyScale: 1,
      terms: [potential().term(PairTerm.self), Network(architecture, parameters: parameters)])
  }

  @Test func roundTripsNetworks() throws {
    let potential = try Self.withNetwork()
    let loaded = try WeightFile.decode(WeightFile.encode(potential))
    #expect(loaded.term(Network.self)?.architecture == potential.term(Network.self)?.architecture)
    #expect(loaded.term(Network.self)?.parameters == potential.term(Network.self)?.parameters)
    #expect(loaded.term(PairTerm.self) == potential.term(PairTerm.self))
    #expect(loaded.rMax == 7.5)
  }

  static func ensemble() throws -> Potential {
    let first = try withNetwork()
    func member(_ factor: Double) throws -> Potential {
      try Potential(
        typeNames: first.typeNames, energyScale: 1,
        terms: [
          PairTerm(typeCount: 2, rMax: 7.5, intervals: 4, free: (0..<12).map { factor * Double($0) }),
          Network(
            #require(first.term(Network.self)).architecture,
            parameters: #require(first.term(Network.self)).parameters.map { factor * $0 }),
        ])
    }
    return try Potential(
      typeNames: first.typeNames, energyScale: 1, terms: [first.term(PairTerm.self), first.term(Network.self)],
      grade: grade(), others: [member(2), member(3)])
  }

  @Test func roundTripsEnsembles() throws {
    let potential = try Self.ensemble()
    let bytes = try WeightFile.encode(potential)
    let loaded = try WeightFile.decode(bytes)
    #expect(loaded.members.count == 3 && loaded.grade == potential.grade)
    for (a, b) in zip(loaded.members, potential.members) {
      #expect(a.term(PairTerm.self) == b.term(PairTerm.self))
      #expect(a.term(Network.self)?.parameters == b.term(Network.self)?.parameters)
      #expect(a.term(Network.self)?.architecture == b.term(Network.self)?.architecture)
    }
    #expect(try WeightFile.encode(loaded) == bytes)
  }

  @Test(arguments: [
    ("members", "1"), ("members", "4"), ("members", "1000000000"), ("members", nil), ("member2.pair", nil),
  ])
  func refusesBrokenEnsembles(_ key: String, _ value: String?) throws {
    var file = try SafetensorsFile(bytes: WeightFile.encode(Self.ensemble()))
    file.metadata[key] = value
    file.metadata["checksum"] = WeightFile.checksum(file)
    #expect(Self.message(file.serialised()) != "no error")
  }

  @Test func membersAreOfOneKind() throws {
    let first = try Self.ensemble()
    for other in [try Self.potential(), first] {
      #expect(throws: DiffNNPError.self) {
        try Potential(
          typeNames: first.typeNames, energyScale: 1, terms: [first.term(PairTerm.self), first.term(Network.self)],
          others: [other])
      }
    }
  }

  /// A small file must not ask for a large network.
  @Test(arguments: [
    ("num_layers", 1_000_000_000), ("num_layers", 3), ("num_layers", -1), ("num_features", 1024), ("num_features", 0),
    ("invariant_neurons", 1 << 40), ("invariant_layers", 1 << 50), ("num_basis", 1 << 52), ("r_max", 0),
    ("PolynomialCutoff_p", -1),
  ])
  func refusesOtherArchitectures(_ key: String, _ value: Int) throws {
    var file = try SafetensorsFile(bytes: WeightFile.encode(Self.withNetwork()))
    let members = try #require(Self.architecture.object).filter { $0.key != key } + [.init(key, JSONValue(value))]
    file.metadata["network"] = JSONValue.object(members).serialised()
    file.metadata["checksum"] = WeightFile.checksum(file)
    #expect(Self.message(file.serialised()) != "no error")
  }

  @Test func replacesWholeFilesOnly() throws {
    try Self.withPath { path in
      try Self.potential().save(path: path)
      let before = try FileIO.read(path)
      let file = try ReplacementFile(path)
      try file.write("half of something")
      #expect(try FileIO.read(path) == before)
    }
    #expect(throws: DiffNNPError.self) { try FileIO.write([1], to: "/nowhere/model.safetensors") }
    #expect(throws: DiffNNPError.self) { try Self.potential().save(path: "/dev/full") }
  }

  /// A file with a hole that is larger than any memory, and one without an end.
  @Test func refusesFilesWithoutMeasure() throws {
    try Self.withPath { path in
      try FileIO.write([1], to: path)
      try #require(truncate(path, 1 << 40) == 0)
      for (path, limit) in [(path, 1024), ("/dev/zero", 64)] {
        do {
          _ = try Potential.load(path: path)
          Issue.record("\(path) was read")
        } catch {
          #expect("\(error)" == "\(path): it has more than \(limit) MiB; expected a smaller file")
        }
      }
    }
  }

  /// Python's safetensors package reads the file, agrees on the checksum, and writes one this program reads.
  @Test(.enabled(if: python != nil, "needs a Python with numpy and safetensors: set DIFFNNP_PYTHON"))
  func roundTripsThroughPython() throws {
    let script = #filePath.dropLast("WeightFileTests.swift".count) + "resave.py"
    try Self.withPath { path in
      try Self.potential().save(path: path)
      #expect(system("'\(Self.python!)' '\(script)' '\(path)'") == 0)
      let loaded = try Potential.load(path: path)
      #expect(loaded.term(PairTerm.self) == (try Self.potential().term(PairTerm.self)))
      #expect(loaded.metadata == (try Self.potential().metadata))
    }
  }

  static let python: String? = {
    let root = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
    let candidates = [getenv("DIFFNNP_PYTHON").map { String(cString: $0) }, root + "/.venv/bin/python", "python3"]
    return candidates.compactMap { $0 }.first { system("'\($0)' -c 'import numpy, safetensors' 2>/dev/null") == 0 }
  }()

  @Test func explainsForeignFiles() throws {
    #expect(Self.message([]).contains("not a safetensors file"))
    #expect(Self.message(Array("PK\u{3}\u{4} this is a zip".utf8)).contains("not a safetensors file"))
    let foreign = SafetensorsFile(metadata: ["format": "pt"], tensors: [])
    #expect(Self.message(foreign.serialised()).contains("\"pt\""))
    let nequip = SafetensorsFile(
      metadata: [:],
      tensors: [NamedTensor(name: "model.func.layer0_convnet.conv.sc.weight", shape: [1], values: [1])])
    #expect(Self.message(nequip.serialised()).contains("diffnnp import-nequip"))
    #expect(throws: DiffNNPError.self) { try Potential.load(path: "/tmp") }
    #expect(throws: DiffNNPError.self) { try Potential.load(path: "/nowhere") }
  }

  @Test func tripletsRoundTrip() throws {
    let potential = try #require(SamplePotential.all.first { $0.potential.term(TripletTerm.self) != nil }).potential
    #expect(
      try WeightFile.decode(WeightFile.encode(potential)).term(TripletTerm.self) == potential.term(TripletTerm.self))
  }

  /// Changes to a file with triplets alone.
  static let tripletFaults: [(String, @Sendable (inout SafetensorsFile) -> Void)] = [
    ("no metadata \"triplets\"", { $0.metadata["triplets"] = nil }),
    ("no tensor triplets.coefficients", { $0.tensors = [] }),
    ("r_max, intervals, first and l_max", { $0.metadata["triplets"] = "{\"r_max\": 3.5, \"intervals\": 6}" }),
    ("has shape [3, 480], expected [3, 360]", { $0.metadata["triplets"] = triplets(lMax: 2) }),
    ("l from 0 to 3", { $0.metadata["triplets"] = triplets(lMax: 4) }),
    ("1 to 100 intervals", { $0.metadata["triplets"] = triplets(lMax: 3, intervals: 1_000_000_000) }),
    ("fewer functions left out", { $0.metadata["triplets"] = triplets(lMax: 3, intervals: 1) }),
    ("needs a list of distances", { $0.metadata["triplets"] = triplets(floor: "[1, 1]") }),
    ("6 distances from 0 Å on", { $0.metadata["triplets"] = triplets(floor: "{\"distances\": [1], \"width\": 0.3}") }),
    (
      "begins at 4.0 Å",
      { $0.metadata["triplets"] = triplets(floor: "{\"distances\": [1, 1, 1, 1, 1, 4], \"width\": 0.3}") }
    ),
  ]

  private static func triplets(lMax: Int = 3, intervals: Int = 6, floor: String? = nil) -> String {
    "{\"r_max\": 3.5, \"intervals\": \(intervals), \"first\": 1, \"l_max\": \(lMax)"
      + (floor.map { ", \"floor\": \($0)" } ?? "") + "}"
  }

  @Test(arguments: tripletFaults.indices)
  func explainsFaultsOfTriplets(_ k: Int) throws {
    let potential = try #require(SamplePotential.all.first { $0.testDescription == "triplets" }).potential
    let (reason, change) = Self.tripletFaults[k]
    var file = try SafetensorsFile(bytes: WeightFile.encode(potential))
    change(&file)
    file.metadata["checksum"] = WeightFile.checksum(file)
    let message = Self.message(file.serialised())
    #expect(message.contains(reason) && !message.contains("\n"), "\(message)")
  }

  /// Changes to a valid file, made whole again with a right checksum, and what the error must mention.
  static let faults: [(String, @Sendable (inout SafetensorsFile) -> Void)] = [
    ("format version is 2", { $0.metadata["format_version"] = "2" }),
    ("\"type_names\" is missing", { $0.metadata["type_names"] = nil }),
    ("\"type_names\" is missing", { $0.metadata["type_names"] = "[1, 2]" }),
    ("given once each", { $0.metadata["type_names"] = "[\"Li\", \"Li\"]" }),
    ("shape [3, 3], expected [6, 3]", { $0.metadata["type_names"] = "[\"Li\", \"Cl\", \"Na\"]" }),
    ("energy_unit is kcal", { $0.metadata["energy_unit"] = "kcal" }),
    ("length_unit", { $0.metadata["length_unit"] = nil }),
    ("energy_scale", { $0.metadata["energy_scale"] = "nan" }),
    ("energy scale", { $0.metadata["energy_scale"] = "-1" }),
    ("r_max", { $0.metadata["r_max"] = "8" }),
    ("\"pair\" is not valid JSON", { $0.metadata["pair"] = "{" }),
    ("r_max and intervals", { $0.metadata["pair"] = "{}" }),
    ("no metadata \"pair\"", { $0.metadata["pair"] = nil }),
    ("expected [3, 1000000000000000]", { $0.metadata["pair"] = "{\"r_max\": 7.5, \"intervals\": 1000000000000000}" }),
    ("cutoff is 1000000.0 Å", { $0.metadata["pair"] = "{\"r_max\": 1e6, \"intervals\": 3}" }),
    ("cutoff", { $0.metadata["pair"] = "{\"r_max\": 0, \"intervals\": 3}" }),
    (
      "it holds no term",
      { ($0.metadata["pair"], $0.metadata["grade"], $0.tensors) = (nil, nil, []) }
    ),
    ("no metadata \"grade\"", { $0.metadata["grade"] = nil }),
    ("r_max and intervals", { $0.metadata["grade"] = "{\"r_max\": 5}" }),
    ("1 to 200 functions", { $0.metadata["grade"] = "{\"r_max\": 6, \"intervals\": 1000000000}" }),
    ("has shape [2, 8], expected [2, 10]", { $0.metadata["grade"] = "{\"r_max\": 6, \"intervals\": 5}" }),
    ("reaches to 8.0 Å", { $0.metadata["grade"] = "{\"r_max\": 8, \"intervals\": 4}" }),
    ("2 tensors grade.*; expected grade.means, grade.whitening, grade.closest", { $0.tensors.removeLast() }),
    ("no tensor grade.closest", { $0.tensors[3].name = "grade.nearest" }),
    ("a smallest distance is -1.0 Å", { $0.tensors[3].values[1] = -1 }),
    ("no tensor pair.coefficients", { $0.tensors = [] }),
    ("not finite (number 4)", { $0.tensors[0].values[4] = .nan }),
    ("temperature", { $0.metadata["temperature"] = "warm" }),
    ("smallest_distances", { $0.metadata["smallest_distances"] = "[1]" }),
    ("provenance", { $0.metadata["provenance"] = "1" }),
    ("no metadata \"network\"", { $0.tensors.append(NamedTensor(name: "x", shape: [], values: [1])) }),
    ("type_names is missing", { $0.metadata["network"] = "{\"r_max\": -1}" }),
  ]

  @Test(arguments: faults.indices)
  func explainsFaults(_ k: Int) throws {
    let (reason, change) = Self.faults[k]
    var file = try SafetensorsFile(bytes: WeightFile.encode(Self.potential()))
    change(&file)
    file.metadata["checksum"] = WeightFile.checksum(file)
    let message = Self.message(file.serialised())
    #expect(message.contains(reason) && !message.contains("\n"), "\(message)")
  }

  @Test func noticesChangedBytes() throws {
    let whole = try WeightFile.encode(Self.potential())
    for length in 0..<whole.count { #expect(Self.message(Array(whole[..<length])) != "no error") }
    var unnoticed = 0
    for k in whole.indices {
      for bit in 0..<8 {
        var bytes = whole
        bytes[k] ^= 1 << bit
        // Spaces between the tokens of the header mean nothing, and change into other spaces.
        if Self.message(bytes) == "no error" { unnoticed += 1 }
      }
    }
    #expect(unnoticed < whole.count / 10)
    #expect(Self.message(whole + [0]).contains("behind the last tensor"))
  }

  @Test func refusesToWriteWhatItWouldNotRead() throws {
    let pair = try PairTerm(typeCount: 1, rMax: 5, intervals: 1, free: [.nan])
    let potential = try Potential(typeNames: ["A"], energyScale: 1, terms: [pair])
    #expect(throws: DiffNNPError.self) { try WeightFile.encode(potential) }
  }
}
