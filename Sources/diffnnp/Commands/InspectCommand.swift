import DiffNNP
import DiffNNPCommandLine

/// `diffnnp inspect MODEL`.
enum InspectCommand: Command {
  static let syntax = Syntax(
    name: "inspect", summary: "Show what is in a weight file.", operands: "MODEL", operandCount: 1...1,
    options: [.init(name: "--json", summary: "Print JSON.")],
    details: "The complete file is checked: format version, shapes, checksum, finite values.")

  static func run(_ arguments: Arguments) throws {
    let potential = try Potential.load(path: arguments.operands[0])
    print(arguments.flag("--json") ? json(potential).serialised(pretty: true) : text(potential))
  }

  static func json(_ potential: Potential) -> JSONValue {
    let metadata = potential.metadata
    var members: [JSONValue.Member] = [
      .init("format", .string(WeightFile.format)), .init("format_version", JSONValue(WeightFile.version)),
      .init("type_names", JSONValue(potential.typeNames)), .init("r_max", .number(potential.rMax)),
      .init("energy_scale", .number(potential.energyScale)),
    ]
    if !potential.others.isEmpty { members.append(.init("members", JSONValue(potential.members.count))) }
    if let temperature = metadata.temperature { members.append(.init("temperature", .number(temperature))) }
    if let densities = metadata.densities {
      members.append(.init("density", .object(zip(potential.typeNames, densities).map { .init($0, .number($1)) })))
    }
    if let cell = metadata.cell { members.append(.init("cell", .array(cell.map { JSONValue([$0.x, $0.y, $0.z]) }))) }
    if let sigma = metadata.sigma { members.append(.init("sigma", .number(sigma))) }
    for term in potential.terms {
      let stored = term.stored
      members.append(.init(term.name, stored.settings))
      members.append(.init(term.name + "_parameters", JSONValue(stored.tensors.reduce(0) { $0 + $1.values.count })))
    }
    if let grade = potential.grade {
      let surroundings = grade.surroundings
      members.append(
        .init("grade", ["r_max": .number(surroundings.rMax), "intervals": JSONValue(surroundings.intervals)]))
    }
    if let distances = metadata.smallestDistances {
      members.append(
        .init("smallest_distances", .object(zip(pairNames(potential), distances).map { .init($0, .number($1)) })))
    }
    let provenance = metadata.provenance.sorted { $0.key < $1.key }
    members.append(.init("provenance", .object(provenance.map { .init($0.key, .string($0.value)) })))
    return .object(members)
  }

  static func text(_ potential: Potential) -> String {
    let metadata = potential.metadata
    var rows = [
      ("types", potential.typeNames.joined(separator: " ")), ("cutoff", "\(potential.rMax) Å"),
      ("energy scale", "\(potential.energyScale) eV"),
    ]
    if !potential.others.isEmpty { rows.append(("ensemble", "\(potential.members.count) members; below, the first")) }
    if let temperature = metadata.temperature { rows.append(("temperature", "\(temperature) K")) }
    if let densities = metadata.densities {
      let parts = zip(potential.typeNames, densities).map { "\($0) \($1)" }
      rows.append(("density", parts.joined(separator: ", ") + " atoms/Å³"))
    }
    if let cell = metadata.cell {
      rows.append(("cell", cell.map { "\($0.x) \($0.y) \($0.z)" }.joined(separator: ", ") + " Å"))
    }
    if let sigma = metadata.sigma { rows.append(("sigma", "\(sigma) Å")) }
    for term in potential.terms {
      for (k, line) in term.summary.enumerated() { rows.append((k == 0 ? term.name : "", line)) }
    }
    if let surroundings = potential.grade?.surroundings {
      rows.append(
        (
          "extrapolation grade",
          "\(surroundings.dimension) numbers for each atom, from neighbours up to \(surroundings.rMax) Å"
        ))
    }
    for (k, (name, distance)) in zip(pairNames(potential), metadata.smallestDistances ?? []).enumerated() {
      rows.append((k == 0 ? "smallest distances" : "", "\(name) \(distance.isFinite ? "\(distance) Å" : "never seen")"))
    }
    for (k, entry) in metadata.provenance.sorted(by: { $0.key < $1.key }).enumerated() {
      rows.append((k == 0 ? "provenance" : "", "\(entry.key): \(entry.value)"))
    }
    let width = rows.map(\.0.count).max() ?? 0
    return rows.map { "\($0.0.padded(to: width))  \($0.1)" }.joined(separator: "\n")
  }

  /// "Li-Li", "Li-Cl", …, in the order of `TypePairs.index`.
  private static func pairNames(_ potential: Potential) -> [String] {
    let names = potential.typeNames
    return names.indices.flatMap { a in names[a...].map { "\(names[a])-\($0)" } }
  }
}
