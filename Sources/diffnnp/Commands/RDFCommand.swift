import DiffNNP
import DiffNNPAnalysis
import DiffNNPCommandLine
import DiffNNPFrames

/// `diffnnp rdf FRAMES…`.
enum RDFCommand: Command {
  static let syntax = Syntax(
    name: "rdf", summary: "Compute and compare radial distribution functions of trajectories.", operands: "FRAMES…",
    operandCount: 1...1000,
    options: [
      .init(name: "--rmax", value: "R", summary: "Largest distance (Å), 10 by default."),
      .init(name: "--dr", value: "WIDTH", summary: "Width of a bin (Å), 0.05 by default."),
      .init(name: "--reference", value: "CSV", summary: "Compare with the g(r) in this table."),
      .init(name: "--reference-label", value: "NAME", summary: "Name of the reference, reference by default."),
      .init(name: "--label", value: "NAME", summary: "Name of a curve, one for each FRAMES in order.", repeats: true),
      .init(name: "--faint", value: "NAME", summary: "Draw the curve of this name thin and grey.", repeats: true),
      .init(name: "--plot", value: "FILE", summary: "Draw all curves: .svg or .png.", repeats: true),
      .init(name: "--output", short: "-o", value: "CSV", summary: "Write g(r) as a table; for one FRAMES."),
      .init(name: "--angles", value: "R", summary: "Angles too, between neighbours closer than R (Å)."),
      .init(name: "--angle-reference", value: "CSV", summary: "Compare angles with those in this table."),
      .init(name: "--json", summary: "Print JSON: curves, errors and measures."),
    ] + TrajectoryOptions.options,
    details: """
      FRAMES is extended XYZ or a LAMMPS text dump (both also as .gz), NPZ with NequIP's keys, or a table that --output
      wrote. g(r), coordination numbers and angles are of the frames that have such pairs, by their number. Errors are standard
      errors from averages over contiguous blocks. The floor is the mean absolute error that
      sampling alone is expected to leave in g(r). Several FRAMES are compared with the first of them, or with --reference,
      which has columns r_A, g_LiLi, g_LiCl, …; an --angle-reference has columns angle_deg, Li-Cl-Li, ….
      """)

  static func run(_ arguments: Arguments) throws {
    let settings = try Settings(arguments)
    let tables = arguments.all("--reference") + arguments.all("--angle-reference")
    try InputFile.check(settings.paths + tables)
    try OutputFile.checkDiffer(arguments.all("--output") + arguments.all("--plot"))
    for output in arguments.all("--output") {
      try OutputFile.check(output, inputs: settings.paths + tables, mayStream: true)
    }
    for plot in arguments.all("--plot") { try OutputFile.check(plot, inputs: settings.paths + tables) }
    let structures = try settings.structures()
    let typeNames = structures[0].rdf.distribution.typeNames
    let reference = try arguments.text("--reference").map { try RadialDistribution(csv: $0, typeNames: typeNames) }
    let angleReference = try arguments.text("--angle-reference").map {
      try AngleDistribution(csv: $0, typeNames: typeNames)
    }
    if let output = arguments.text("--output") {
      try FileIO.write(structures[0].rdf.distribution.csv.text.utf8, to: output)
    }
    for plot in arguments.all("--plot") {
      let label = arguments.text("--reference-label") ?? "reference"
      let drawn = reference.map { [LabelledRDF(label, $0, style: .reference)] } ?? []
      try rdfFigure(drawn + structures.map(\.rdf), rMax: settings.rMax).write(to: plot)
    }
    let summaries = try structures.enumerated().map { k, structure in
      let first = k > 0 ? structures[0] : nil
      return try StructureSummary(
        structure, reference: reference ?? first?.rdf.distribution, angleReference: angleReference ?? first?.angles,
        rMax: settings.rMax)
    }
    print(
      arguments.flag("--json")
        ? JSONValue.object([.init("curves", .array(summaries.map(\.json)))]).serialised(pretty: true)
        : summaries.map(\.text).joined(separator: "\n\n"))
  }

  /// Settings from the command line.
  private struct Settings {
    let paths: [String]
    let labels: [String]
    let faint: [String]
    let rMax: Double
    let binWidth: Double
    let angleRadius: Double?
    let selection: TrajectorySelection

    init(_ arguments: Arguments) throws {
      paths = arguments.operands
      labels = arguments.all("--label").isEmpty ? paths : arguments.all("--label")
      faint = arguments.all("--faint")
      rMax = try arguments.number("--rmax") ?? 10
      binWidth = try arguments.number("--dr") ?? 0.05
      angleRadius = try arguments.number("--angles")
      selection = try TrajectoryOptions.selection(arguments)
      guard labels.count == paths.count else {
        throw UsageError(
          "there are \(paths.count) FRAMES, and --label names \(labels.count); give one for each, or none")
      }
      if let unknown = faint.first(where: { !labels.contains($0) }) {
        throw UsageError("--faint \(unknown) is no name of a curve\(didYouMean(unknown, of: labels))")
      }
      if let twice = arguments.all("--label").firstTwice {
        throw UsageError("--label \(twice) is given twice; give each curve a name of its own")
      }
      if paths[0].hasSuffix(".csv"), selection.species == nil {
        throw UsageError("\(paths[0]) is a table: name its species with --select, or give a trajectory before it")
      }
      guard arguments.text("--output") == nil || paths.count == 1 else {
        throw UsageError("--output takes one FRAMES, found \(paths.count)")
      }
      guard arguments.text("--reference-label") == nil || arguments.text("--reference") != nil else {
        throw UsageError("--reference-label needs --reference CSV")
      }
      guard arguments.text("--angle-reference") == nil || angleRadius != nil else {
        throw UsageError("--angle-reference needs --angles R")
      }
    }

    /// The structures of all operands, of the same species in the same order.
    func structures() throws -> [Structure] {
      var selection = selection
      return try paths.indices.map { k in
        let structure = try structure(k, selection)
        // The first file defines the order of types for all files.
        selection.species = selection.species ?? structure.rdf.distribution.typeNames
        return structure
      }
    }

    private func structure(_ k: Int, _ selection: TrajectorySelection) throws -> Structure {
      let style: CurveStyle? = faint.contains(labels[k]) ? .faint : nil
      if paths[k].hasSuffix(".csv") {
        // The first file is no table, or species were named.
        let g = try RadialDistribution(csv: paths[k], typeNames: selection.species ?? [])
        return Structure(rdf: LabelledRDF(labels[k], g, style: style), angles: nil)
      }
      let trajectory = try Trajectory.read(path: paths[k], selection, for: RDFCommand.self)
      try trajectory.requireDifferentFrames(path: paths[k])
      return try naming(paths[k]) {
        let g = try RadialDistribution(trajectory, rMax: rMax, binWidth: binWidth)
        let angles = try angleRadius.map { try AngleDistribution(trajectory, radius: $0) }
        return Structure(rdf: LabelledRDF(labels[k], g, style: style), angles: angles)
      }
    }
  }
}

/// The structure of one operand.
private struct Structure {
  let rdf: LabelledRDF
  let angles: AngleDistribution?
}

/// One structure in numbers, for readers and for programs.
private struct StructureSummary {
  let label: String
  let distribution: RadialDistribution
  let floors: [Double]?
  let errors: [Double]?
  let angles: AngleDistribution?
  let divergences: [Double]?

  init(
    _ structure: Structure, reference: RadialDistribution?, angleReference: AngleDistribution?, rMax: Double
  ) throws {
    label = structure.rdf.label
    distribution = structure.rdf.distribution
    floors = distribution.samplingFloor(rMax: rMax)
    errors = try reference.map { try structure.rdf.distribution.meanAbsoluteError(against: $0, rMax: rMax) }
    angles = structure.angles
    divergences = try angleReference.flatMap { try structure.angles?.divergence(from: $0) }
  }

  private var names: [String] { distribution.typeNames }

  var text: String {
    let frames = distribution.counts.map { ", \(counted($0.frameCount, "frame"))" } ?? ""
    var rows = [["pair", "peak (Å)", "g", "minimum (Å)", "g", "coordination", "smallest (Å)", "floor", "MAE"]]
    for (p, pair) in distribution.pairs.enumerated() {
      let shell = distribution.firstShell(pair)
      rows.append([
        pair.label(names), cell(shell?.peak.r, 2), cell(shell?.peak.g, 3), cell(shell?.minimum.r, 2),
        cell(shell?.minimum.g, 3), coordination(pair, shell), cell(smallest(p), 2), cell(floors?[p], 4),
        cell(errors?[p], 4),
      ])
    }
    var lines = ["\(label)\(frames)"] + aligned(rows)
    let partial = distribution.pairs.enumerated().compactMap { p, pair -> String? in
      guard let counts = distribution.counts, counts.framesWithPairs[p] < counts.frameCount else { return nil }
      let some = counts.framesWithPairs[p]
      return
        "  \(pair.label(names)): \(some == 0 ? "no frame has" : "from the \(some) of \(counts.frameCount) frames with") such pairs"
    }
    lines += partial
    guard let angles else { return lines.joined(separator: "\n") }
    let angleRows = angles.triples.enumerated().map { t, triple in
      [triple.label(names), divergences.map { "JSD \($0[t].significant(3))" } ?? ""]
    }
    return (lines + aligned(angleRows)).joined(separator: "\n")
  }

  var json: JSONValue {
    func pairs(_ value: (Int, TypePair) -> JSONValue) -> JSONValue {
      .object(distribution.pairs.enumerated().map { p, pair in .init(pair.key(names), value(p, pair)) })
    }
    func number(_ x: Double?) -> JSONValue { x.map { .number($0) } ?? .null }
    func point(_ x: (r: Double, g: Double)?) -> JSONValue {
      x.map { ["r": .number($0.r), "g": .number($0.g)] } ?? .null
    }
    var members: [JSONValue.Member] = [
      .init("label", .string(label)), .init("n_frames", distribution.counts.map { JSONValue($0.frameCount) } ?? .null),
      .init(
        "n_frames_with_pairs", pairs { p, _ in distribution.counts.map { JSONValue($0.framesWithPairs[p]) } ?? .null }),
      .init("r", JSONValue(distribution.distances)), .init("g", pairs { p, _ in JSONValue(distribution.values[p]) }),
      .init("g_error", pairs { p, _ in distribution.errors.map { JSONValue($0[p]) } ?? .null }),
      .init("rdf_floor", pairs { p, _ in number(floors?[p]) }), .init("rdf_mae", pairs { p, _ in number(errors?[p]) }),
      .init("min_distance", pairs { p, _ in number(smallest(p)) }),
      .init("first_peak", pairs { _, pair in point(distribution.firstShell(pair)?.peak) }),
      .init("first_minimum", pairs { _, pair in point(distribution.firstShell(pair)?.minimum) }),
    ]
    if let angles {
      func triples(_ value: (Int) -> JSONValue) -> JSONValue {
        .object(angles.triples.enumerated().map { t, triple in .init(triple.label(names), value(t)) })
      }
      members.append(.init("angles", JSONValue(angles.angles)))
      members.append(.init("angle_probabilities", triples { JSONValue(angles.probabilities[$0]) }))
      members.append(.init("angle_jsd", triples { number(divergences?[$0]) }))
    }
    return .object(members)
  }

  private func smallest(_ p: Int) -> Double? { distribution.counts?.smallestDistances[p] ?? nil }

  /// Coordination numbers up to the first minimum: of the second type around the first and, where it is another number,
  /// the other way.
  private func coordination(_ pair: TypePair, _ shell: RadialDistribution.FirstShell?) -> String {
    guard let radius = shell?.minimum.r else { return "–" }
    let there = distribution.coordinationNumber(of: pair.second, around: pair.first, within: radius)
    let back = distribution.coordinationNumber(of: pair.first, around: pair.second, within: radius)
    guard let there, let back else { return "–" }
    return abs(there - back) < 1e-9 ? there.fixed(2) : "\(there.fixed(2)) / \(back.fixed(2))"
  }

  private func cell(_ x: Double?, _ digits: Int) -> String {
    x.flatMap { $0.isFinite ? $0.fixed(digits) : nil } ?? "–"
  }

  /// Rows as lines, with columns two spaces apart.
  private func aligned(_ rows: [[String]]) -> [String] {
    let widths = rows[0].indices.map { c in rows.map { $0[c].count }.max() ?? 0 }
    return rows.map { row in "  " + zip(row, widths).map { $0.padded(to: $1) }.joined(separator: "  ") }
  }
}
