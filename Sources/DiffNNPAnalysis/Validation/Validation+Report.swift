import DiffNNP

/// What a report contains besides the results of a validation.
public struct ValidationContext: Sendable {
  /// Path of the model, as the user gave it.
  public var model: String
  /// Path of the frames.
  public var frames: String
  /// Numbers that are copied into the report, such as the seconds that training took.
  public var records: [(name: String, value: Double)]
  /// The course of the training; nil where that is not known.
  public var training: TrainingRecord?

  /// A context for a model and frames.
  public init(
    model: String, frames: String, records: [(name: String, value: Double)] = [], training: TrainingRecord? = nil
  ) {
    self.model = model
    self.frames = frames
    self.records = records
    self.training = training
  }
}

extension Validation {
  /// Writes `report.json`, `report.html`, and the runs' g(r) as `rdf.csv` into the directory of the runs.
  /// - Throws: where gnuplot is missing or fails, or a file cannot be written.
  public func writeReport(_ context: ValidationContext) throws {
    try FileIO.write((json(context).serialised(pretty: true) + "\n").utf8, to: "\(settings.directory)/report.json")
    if let simulated { try FileIO.write(simulated.csv.text.utf8, to: "\(settings.directory)/rdf.csv") }
    try FileIO.write(html(context).utf8, to: "\(settings.directory)/report.html")
  }

  /// Names in the report for programs, which records may not have.
  public static let names: Set<String> = [
    "model", "frames", "n_frames", "temperature", "timestep_fs", "lammps_version", "md_ns", "md_ns_per_day",
    "stable_ps",
    "min_distance", "min_distances", "min_distances_frames", "rdf_mae", "rdf_floor", "rdf_mae_frames",
    "rdf_mae_expected",
    "rdf_mae_noised_frames", "angle_radius", "angle_jsd", "angle_jsd_expected", "runs", "verdict",
  ]

  /// The report for programs.
  /// - Throws: where structures cannot be compared.
  public func json(_ context: ValidationContext) throws -> JSONValue {
    let comparisons = try comparisons()
    func pairs(_ value: (PairComparison) -> Double?) -> JSONValue {
      .object(comparisons.map { c in .init(c.key, value(c).map { .number($0) } ?? .null) })
    }
    func number(_ x: Double?) -> JSONValue { x.map { .number($0) } ?? .null }
    func triples(_ value: (AngleComparison) -> [Double]) -> JSONValue {
      .object(angles.map { a in a.known.map { .init(a.labels[$0], .number(value(a)[$0])) } } ?? [])
    }
    let head: [JSONValue.Member] = [
      .init("model", .string(context.model)), .init("frames", .string(context.frames)),
      .init("n_frames", JSONValue(frames.counts?.frameCount ?? 0)),
    ]
    let speeds = runs.compactMap(\.log.nanosecondsPerDay)
    let results: JSONValue = [
      "temperature": .number(settings.temperature),
      "timestep_fs": .number(settings.timestep),
      "lammps_version": runs.first?.log.version.map { .string($0) } ?? .null,
      "md_ns": .number(runs.reduce(0) { $0 + $1.stableTime } / 1000),
      "md_ns_per_day": number(speeds.isEmpty ? nil : speeds.reduce(0, +) / Double(speeds.count)),
      "stable_ps": .number(stableTime),
      "min_distance": number(comparisons.compactMap(\.smallest).min()),
      "min_distances": pairs(\.smallest),
      "min_distances_frames": pairs(\.framesSmallest),
      "rdf_mae": pairs { $0.referenceError ?? $0.error },
      "rdf_floor": pairs { $0.framesReferenceError ?? $0.framesFloor },
      "rdf_mae_frames": pairs(\.error),
      "rdf_mae_expected": pairs(\.expected),
      "rdf_mae_noised_frames": pairs(\.noisedError),
      "angle_radius": number(angles?.radius),
      "angle_jsd": triples(\.divergences),
      "angle_jsd_expected": triples(\.expected),
      "runs": .array(
        runs.map { run in
          [
            "start": .string(run.start),
            "stable_ps": .number(run.stableTime),
            "failure": run.failure.map { .string($0) } ?? .null,
            "temperature": .number(run.temperature.mean),
            "temperature_error": .number(run.temperature.error),
            "ns_per_day": number(run.log.nanosecondsPerDay),
            "largest_grade": number(run.grades?.largest),
            "graded_outside": number(run.grades?.outside),
          ]
        }),
      "verdict": JSONValue(try verdict()),
    ]
    return .object(head + context.records.map { .init($0.name, .number($0.value)) } + (results.object ?? []))
  }

  /// The report for readers.
  /// - Throws: where gnuplot is missing or fails, or structures cannot be compared.
  public func html(_ context: ValidationContext) throws -> String {
    var page = HTMLPage(title: "Validation of \(context.model)")
    page.paragraph(
      "\(counted(runs.count, "LAMMPS run")) of \(settings.duration.significant(6)) ps at "
        + "\(settings.temperature.significant(5)) K, timestep \(settings.timestep.significant(4)) fs, compared with "
        + "\(counted(frames.counts?.frameCount ?? 0, "frame")) of \(context.frames).")
    for sentence in try verdict() { page.paragraph(sentence, class: "verdict") }

    page.heading("Radial distribution functions")
    page.figure(
      svg: try rdfFigure(curves, rMax: settings.rMax).svg(),
      caption: "Bands are one standard error, from block averages.")
    try addStructureTable(to: &page)

    if let angles, !angles.known.isEmpty {
      page.heading("Angles")
      page.figure(
        svg: try angles.figure.svg(),
        caption: "Angles between neighbours closer than \(angles.radius.significant(3)) Å.")
      page.table(
        head: ["Angle", "Jensen–Shannon divergence", "expected from sampling"],
        rows: angles.known.map {
          [
            angles.labels[$0], angles.divergences[$0].significant(3),
            angles.expected[$0].isNaN ? "–" : angles.expected[$0].significant(3),
          ]
        })
    }

    page.heading("Runs")
    page.table(
      head: ["Start", "Stable (ps)", "Temperature (K)", "Speed (ns/day)", "Largest grade", "Failure"],
      rows: runs.map { run in
        [
          run.start, run.stableTime.significant(6),
          "\(run.temperature.mean.fixed(1)) ± \(run.temperature.error.fixed(1))",
          run.log.nanosecondsPerDay?.significant(4) ?? "", run.grades?.largest.fixed(2) ?? "–",
          run.failure ?? "none",
        ]
      })
    page.figure(
      svg: try temperatureFigure.svg(), caption: "Temperature along the runs, averaged over fiftieths of each.")

    try context.training?.add(to: &page)
    return page.text
  }

  private var curves: [LabelledRDF] {
    [
      reference.map { LabelledRDF("reference", $0, style: .reference) },
      LabelledRDF("frames", frames, style: reference == nil ? .reference : .faint),
      simulated.map { LabelledRDF("LAMMPS with the model", $0) },
    ].compactMap { $0 }
  }

  private func addStructureTable(to page: inout HTMLPage) throws {
    func text(_ x: Double?, _ digits: Int = 4) -> String { x.map { $0.fixed(digits) } ?? "–" }
    let comparisons = try comparisons()
    var head = ["Pair", "Mean |Δg|", "expected from sampling", "floor of the frames"]
    if reference != nil { head += ["against reference", "frames against reference"] }
    if noised != nil { head += ["against frames with noise"] }
    page.table(
      head: head + ["smallest r (Å)", "in the frames (Å)"],
      rows: comparisons.map { c in
        [c.label, text(c.error), text(c.expected), text(c.framesFloor)]
          + (reference == nil ? [] : [text(c.referenceError), text(c.framesReferenceError)])
          + (noised == nil ? [] : [text(c.noisedError)])
          + [text(c.smallest, 2), text(c.framesSmallest, 2)]
      })
    page.paragraph(
      "Mean absolute difference between the g(r) of runs and frames, r < \(settings.rMax.significant(4)) Å in "
        + "\(settings.binWidth.significant(3)) Å bins. Beside it, what two samplings of one truth of these lengths would "
        + "show, and what the frames alone show against the truth.")
  }

  private var temperatureFigure: Figure {
    let curves = runs.enumerated().map { k, run in
      let log = run.log
      let blocks = BlockStatistics.ranges(frameCount: log.steps.count, blockCount: min(50, log.steps.count))
      func mean(_ values: ArraySlice<Double>) -> Double { values.reduce(0, +) / Double(values.count) }
      let times = log.steps.map { Double($0) * settings.timestep / 1000 }
      return Curve(
        "from \(run.start)", x: blocks.map { mean(times[$0]) }, y: blocks.map { mean(log.temperatures[$0]) },
        style: .next(k))
    }
    return Figure([Panel("Temperature", xLabel: "t / ps", yLabel: "T / K", curves: curves, guide: settings.temperature)]
    )
  }
}
