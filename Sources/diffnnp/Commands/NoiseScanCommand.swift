import DiffNNP
import DiffNNPAnalysis
import DiffNNPCommandLine
import DiffNNPFrames
import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// `diffnnp noise-scan FRAMES`.
enum NoiseScanCommand: Command {
  static let syntax = Syntax(
    name: "noise-scan", summary: "Find out which noise level suits some frames, and what limits each.",
    operands: "FRAMES", operandCount: 1...1,
    options: [
      .init(name: "--temperature", value: "KELVIN", summary: "Temperature of the frames."),
      .init(name: "--sigma", value: "LIST", summary: "Noise levels (Å), 0.05,0.07,0.1, … 0.63 by default."),
      .init(name: "--output", short: "-o", value: "DIR", summary: "Directory of all files, noise-scan by default."),
      .init(
        name: "--ps", value: "TIME", summary: "Length of the run with each level (ps), 1000 by default; 0 for none."),
      .init(name: "--timestep", value: "FS", summary: "Timestep (fs), 4 by default."),
      .init(name: "--mass", value: "NAME=M", summary: "Mass of a type (g/mol); elements know theirs.", repeats: true),
      .init(name: "--seed", value: "N", summary: "Seed of all random numbers (default 1)."),
      .init(name: "--threads", value: "N", summary: "Threads (default: all cores)."),
      .init(name: "--plot", value: "FILE", summary: "Draw the errors of all levels: .svg or .png.", repeats: true),
      .init(name: "--json", summary: "Print JSON."),
      .init(name: "--launcher", value: "PATH", summary: "LAMMPS with pair_style diffnnp; lmp-diffnnp by default."),
    ] + TrajectoryOptions.options,
    details: """
      The forces that one noise level σ teaches are those of the noised density: exact runs with them look like frames with
      noise on them. For each level, and for the conditional likelihood of places, by which diffnnp train learns unless noise.mode or
      pair.likelihood say otherwise, a pair potential is fitted, and run in LAMMPS. Pairs alone: triplets and the refinement, which
      the likelihood has in diffnnp train and a noise level has not, are no part of the scan. The columns:

        objective  of denoising without noise, on the last fifth of the frames, with a potential fitted to the others; the level
                   with the smallest has the forces closest to those behind the frames (see diffnnp evaluate). It judges forces
                   alone: how much deeper one well is than another, which the likelihood learns, it hardly sees
        bias       mean |Δg| between the frames with noise and without, which no training with that level can avoid; at small
                   levels it is but the frames' own scatter, which noise smooths away; the likelihood has none
        learning   mean |Δg| between the run and the frames with noise: what went wrong otherwise
        total      mean |Δg| between the run and the frames
        sampling   what two samplings of one truth of these lengths would show
      """)

  static func run(_ arguments: Arguments) throws {
    guard let temperature = try arguments.number("--temperature") else {
      throw UsageError("the temperature of the frames is missing; give --temperature")
    }
    let path = arguments.operands[0]
    let selection = try TrajectoryOptions.selection(arguments)
    try InputFile.check([path])
    try OutputFile.checkDiffer(arguments.all("--plot"))
    for plot in arguments.all("--plot") { try OutputFile.check(plot, inputs: [path]) }
    let directory = arguments.text("--output") ?? "noise-scan"
    try OutputFile.checkDirectory(directory)
    let duration = try arguments.number("--ps") ?? 1000
    guard duration >= 0 else { throw UsageError("--ps is \(duration); expected a time, or 0 for no runs") }
    let sigmas = try arguments.numbers("--sigma") ?? NoiseScan.defaultSigmas
    if let twice = sigmas.firstTwice { throw UsageError("--sigma has \(twice) Å twice; give each level once") }
    for sigma in sigmas { try NoiseMode.fresh(sigma: sigma).validate() }
    try Temperature.check(temperature)
    let launcher = duration > 0 ? try LAMMPSLauncher.path(arguments) : nil
    let trajectory = try Trajectory.read(path: path, selection, for: Self.self)
    try trajectory.requireDifferentFrames(path: path)
    let run = try launcher.map { launcher in
      var run = Validation.Settings(
        launcher: launcher, potential: [], directory: directory, temperature: temperature,
        masses: try Masses.of(trajectory.typeNames, arguments))
      run.duration = duration
      run.interval = min(run.interval, duration / 100)
      run.discarded = 0.05 * duration
      run.timestep = try arguments.number("--timestep") ?? run.timestep
      run.runs = 2
      try run.check()
      return run
    }
    var settings = PairFit.Settings()
    if let seed = try arguments.positive("--seed") { settings.seed = UInt64(seed) }
    if let threads = try arguments.positive("--threads") { settings.threads = threads }

    let points = try naming(path) {
      try NoiseScan(settings, temperature: temperature).run(
        trajectory, sigmas: sigmas
      ) { fputs("noise-scan: \($0)\n", stderr) }
    }
    let rows = try points.map { point in
      guard var run else { return try NoiseScanSummary.Row(point, run: nil) }
      let name = point.sigma.map { "sigma-\($0)" } ?? "likelihood"
      fputs("noise-scan: \(duration) ps with \(name)\n", stderr)
      let model = "\(directory)/\(name).safetensors"
      try makeDirectory(directory)
      try point.potential.save(path: model)
      run.potential = try LAMMPSLauncher.potential(model: model, typeNames: trajectory.typeNames)
      run.directory = "\(directory)/\(name)"
      run.sigma = point.sigma ?? 0
      return try NoiseScanSummary.Row(point, run: Validation(run, trajectory: trajectory))
    }
    let summary = NoiseScanSummary(rows, atomCounts: trajectory.frames.atomCounts)
    for plot in arguments.all("--plot") { try summary.figure.write(to: plot) }
    print(arguments.flag("--json") ? summary.json.serialised(pretty: true) : summary.text)
  }
}

/// A scan over noise levels in numbers, in words and as a figure.
struct NoiseScanSummary {
  struct Row {
    /// Noise level (Å); nil for the likelihood.
    var sigma: Double?
    /// Objective for an atom of each held-out frame (1/Å²).
    var objectives: [Double]
    /// Mean |Δg| over all pairs; nil without a run that lasted.
    var errors: (bias: Double, learning: Double, total: Double, sampling: Double)?
    /// Time the runs were stable for (ps), and why they ended; nil without runs.
    var stableTime: Double?
    var failure: String?

    init(_ point: NoiseScan.Point, run: Validation?) throws {
      (sigma, objectives) = (point.sigma, point.objectives)
      (stableTime, failure) = (run?.stableTime, run?.runs.compactMap(\.failure).first)
      guard let run, let simulated = run.simulated else { return }
      // The mean over the pairs that both have.
      func mean(_ errors: [Double]) -> Double {
        let known = errors.filter { !$0.isNaN }
        return known.reduce(0, +) / Double(known.count)
      }
      let noised = run.noised ?? run.frames
      errors = (
        mean(try noised.meanAbsoluteError(against: run.frames)), mean(try simulated.meanAbsoluteError(against: noised)),
        mean(try simulated.meanAbsoluteError(against: run.frames)),
        mean(try simulated.samplingFloor(against: run.frames) ?? [])
      )
    }

    var name: String { sigma.map { $0.significant(3) } ?? "likelihood" }
  }

  let rows: [Row]
  /// Number of atoms of each held-out frame.
  private let weights: [Double]

  /// - Parameter atomCounts: atoms of all frames, of which the rows have the last.
  init(_ rows: [Row], atomCounts: [Double]) {
    self.rows = rows
    weights = Array(atomCounts.suffix(rows.first?.objectives.count ?? 0))
  }

  /// The level with the smallest objective.
  private var best: Row? { rows.filter { $0.sigma != nil }.min { objective($0) < objective($1) } }
  private var likelihood: Row? { rows.first { $0.sigma == nil } }

  private func objective(_ row: Row) -> Double { BlockStatistics.mean(row.objectives, weights: weights).mean }

  /// The objective above the best level's, with its standard error from blocks of time.
  private func excess(_ row: Row) -> (mean: Double, error: Double) {
    BlockStatistics.mean(zip(row.objectives, (best ?? row).objectives).map { $0 - $1 }, weights: weights)
  }

  var text: String {
    var lines = ["σ (Å)       σ² (Å²)   objective (1/Å²)  bias    learning  total   sampling"]
    for row in rows {
      var line = row.name.padded(to: 12) + (row.sigma.map { ($0 * $0).significant(3) } ?? "").padded(to: 10)
      line += objective(row).fixed(4).padded(to: 18)
      if let e = row.errors {
        line += e.bias.fixed(4).padded(to: 8) + e.learning.fixed(4).padded(to: 10) + e.total.fixed(4).padded(to: 8)
        line += e.sampling.isNaN ? "–" : e.sampling.fixed(4)
      }
      if let failure = row.failure { line += "  failed after \((row.stableTime ?? 0).significant(3)) ps: \(failure)" }
      lines.append(line)
    }
    return (lines + advice).joined(separator: "\n")
  }

  /// A mean |Δg| is worse than another where it is larger by this factor.
  private static let worse = 1.5

  /// Advice in words.
  var advice: [String] {
    guard let best, let sigma = best.sigma else { return [] }
    var lines = ["Of single levels, σ = \(sigma.significant(3)) Å has the forces closest to those behind the frames."]
    if let e = best.errors {
      let reason: String
      if e.total < Self.worse * e.sampling {
        reason = "its g(r) agrees with the frames as well as sampling can tell"
      } else if e.bias > e.learning {
        reason =
          "its error in g(r) is mostly bias of the noise: a smaller level, or the likelihood, would help; more frames would not"
      } else {
        reason =
          "its error in g(r) is mostly error of learning: more frames would help, or triplets, which need the likelihood"
      }
      lines.append("There, \(reason).")
    }
    return lines + [likelihood.map { comparison($0, best, sigma) }].compactMap { $0 }
  }

  /// The likelihood beside the best level: by their runs, or, without these, by their forces.
  private func comparison(_ likelihood: Row, _ best: Row, _ sigma: Double) -> String {
    let (stay, level) = ("leave noise.mode at its default", "σ = \(sigma.significant(3)) Å")
    let change = "try --set noise.mode=fresh --set noise.sigma=\(sigma.significant(3))"
    if let mine = likelihood.errors, let theirs = best.errors {
      let errors = "mean |Δg| is \(mine.total.fixed(4)) with the likelihood, and \(theirs.total.fixed(4)) with \(level)"
      if likelihood.failure != nil, best.failure == nil {
        return "With pairs alone, the run with the likelihood failed, and the one with \(level) did not: \(change)."
      }
      // NaN, where sampling is not known, is no reason to change.
      let isWorse = mine.total > Self.worse * theirs.total && mine.total > Self.worse * mine.sampling
      return "With pairs alone, \(errors): \(isWorse ? change : stay)."
    }
    let (mean, error) = excess(likelihood)
    let difference = "\(abs(mean).fixed(3)) ± \(error.fixed(3))"
    let what = "The likelihood, which diffnnp train uses by default,"
    switch mean {
    case ..<(-2 * error): return "\(what) has better forces (objective lower by \(difference)): \(stay)."
    case (2 * error)...:
      return
        "\(what) has forces less close than \(level) (objective higher by \(difference)), but knows how deep wells are, "
        + "which forces hardly tell: only runs (--ps) show which structure is better."
    default: return "\(what) has forces as good (objective differs by \(difference)): \(stay)."
    }
  }

  var json: JSONValue {
    func number(_ x: Double?) -> JSONValue { x.map { .number($0) } ?? .null }
    let rows = self.rows.map { row in
      let (excess, error) = excess(row)
      return JSONValue.object([
        .init("name", .string(row.name)), .init("sigma", number(row.sigma)),
        .init("objective", .number(objective(row))),
        .init("excess", .number(excess)), .init("excess_error", .number(error)),
        .init("bias", number(row.errors?.bias)), .init("learning", number(row.errors?.learning)),
        .init("total", number(row.errors?.total)), .init("sampling", number(row.errors?.sampling)),
        .init("stable_ps", number(row.stableTime)), .init("failure", row.failure.map { .string($0) } ?? .null),
      ])
    }
    return .object([
      .init("levels", .array(rows)), .init("recommended_sigma", number(best?.sigma)),
      .init("advice", JSONValue(advice)),
    ])
  }

  var figure: Figure {
    let levels = rows.filter { $0.sigma != nil }
    let errors = levels.map { excess($0).error }
    var panels = [
      panel(
        "Held-out objective", "L [1/Å²]",
        [Curve("one level", x: levels.map { $0.sigma! }, y: levels.map(objective), errors: errors, style: .next(0))],
        likelihood: likelihood.map(objective))
    ]
    let measured = levels.filter { $0.errors != nil }
    if !measured.isEmpty {
      func curve(_ name: String, _ k: Int, _ value: (Row) -> Double) -> Curve {
        Curve(name, x: measured.map { $0.sigma! }, y: measured.map(value), style: .next(k))
      }
      panels.append(
        panel(
          "g(r)", "mean |Δg|",
          [
            curve("bias of the noise", 1) { $0.errors!.bias }, curve("error of learning", 2) { $0.errors!.learning },
            curve("run against frames", 3) { $0.errors!.total },
          ], likelihood: likelihood?.errors?.total))
    }
    return Figure(panels)
  }

  /// Curves against σ, and the likelihood's value as a line.
  private func panel(_ title: String, _ yLabel: String, _ curves: [Curve], likelihood: Double?) -> Panel {
    let x = curves.flatMap(\.x)
    let ends = [x.min() ?? 0, x.max() ?? 0]
    let line = likelihood.map { Curve("the likelihood", x: ends, y: [$0, $0], style: .faint) }
    var panel = Panel(title, xLabel: "σ / Å", yLabel: yLabel, curves: [line].compactMap { $0 } + curves)
    panel.hasPoints = true
    return panel
  }
}
