import DiffNNP
import DiffNNPAnalysis
import DiffNNPCommandLine
import DiffNNPFrames
import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// `diffnnp learning-curve FRAMES`.
enum LearningCurveCommand: Command {
  static let syntax = Syntax(
    name: "learning-curve", summary: "Find out whether more frames would make a better potential.", operands: "FRAMES",
    operandCount: 1...1,
    options: [
      .init(name: "--temperature", value: "KELVIN", summary: "Temperature of the frames."),
      .init(name: "--seed", value: "N", summary: "Seed of all random numbers (default 1)."),
      .init(name: "--threads", value: "N", summary: "Threads (default: all cores)."),
      .init(name: "--plot", value: "FILE", summary: "Draw the curve: .svg or .png.", repeats: true),
      .init(name: "--json", summary: "Print JSON."),
    ] + TrajectoryOptions.options,
    details: """
      Fits pairs and triplets with the defaults of diffnnp train to all frames but the last fifth, to half of these, a
      quarter, …, and compares them by the objective of denoising without noise on the last fifth (see diffnnp evaluate).
      The objective falls as L(N) = L∞ + a/N with the number N of frames; from that follows which fraction of the force
      is error due to the limited number of frames, and how many frames would make it smaller. An error that no number
      of frames removes, because pairs and triplets cannot represent the forces, does not show here.
      """)

  static func run(_ arguments: Arguments) throws {
    guard let temperature = try arguments.number("--temperature") else {
      throw UsageError("the temperature of the frames is missing; give --temperature")
    }
    let path = arguments.operands[0]
    try Temperature.check(temperature)
    let selection = try TrajectoryOptions.selection(arguments)
    try InputFile.check([path])
    try OutputFile.checkDiffer(arguments.all("--plot"))
    for plot in arguments.all("--plot") { try OutputFile.check(plot, inputs: [path]) }
    let trajectory = try Trajectory.read(path: path, selection, for: Self.self)
    try trajectory.requireDifferentFrames(path: path)
    var settings = FitSettings()
    if let seed = try arguments.positive("--seed") { settings.seed = UInt64(seed) }
    if let threads = try arguments.positive("--threads") { settings.threads = threads }
    let points = try naming(path) {
      try LearningCurve(settings, temperature: temperature).run(trajectory) {
        fputs("learning-curve: \($0)\n", stderr)
      }
    }
    let summary = LearningSummary(points, atomCounts: trajectory.frames.atomCounts)
    for plot in arguments.all("--plot") { try summary.figure.write(to: plot) }
    print(arguments.flag("--json") ? summary.json.serialised(pretty: true) : summary.text)
  }
}

/// A learning curve in numbers, in words and as a figure.
struct LearningSummary {
  struct Row {
    var frameCount: Int
    var subsetCount: Int
    var objective: Double
    /// Difference of the objective from that of the fit to the most frames, with its standard error from blocks of
    /// time.
    var excess: Double
    var excessError: Double
  }

  let rows: [Row]
  let law: LearningLaw
  private let trajectoryCount: Int

  /// - Parameter atomCounts: numbers of atoms of all frames, the last of which are those held out.
  init(_ points: [LearningCurve.Point], atomCounts: [Double]) {
    trajectoryCount = atomCounts.count
    let weights = Array(atomCounts.suffix(points[0].objectives.count))
    rows = points.map { point in
      let difference = BlockStatistics.mean(
        zip(point.objectives, points[0].objectives).map { $0 - $1 }, weights: weights)
      let objective = BlockStatistics.mean(point.objectives, weights: weights).mean
      return Row(
        frameCount: point.frameCount, subsetCount: point.subsetCount, objective: objective, excess: difference.mean,
        excessError: difference.error)
    }
    law = LearningLaw(rows.map { ($0.frameCount, $0.objective) })
  }

  var text: String {
    var lines = ["frames  sets  objective [1/Å²]  above the first"]
    for row in rows {
      let excess = row.frameCount == rows[0].frameCount ? "" : "\(row.excess.fixed(4)) ± \(row.excessError.fixed(4))"
      lines.append(
        "\(row.frameCount)".padded(to: 8) + "\(row.subsetCount)".padded(to: 6) + row.objective.fixed(4).padded(to: 18)
          + excess)
    }
    return (lines + [verdict]).joined(separator: "\n")
  }

  /// The conclusion in words. Statistical errors below a twentieth of the force hardly matter beside what pairs and
  /// triplets cannot represent.
  var verdict: String {
    let n = Double(trajectoryCount)
    guard let error = law.relativeForceError(frameCount: n), let more = law.frameCount(relativeForceError: error / 2)
    else { return "The objective does not fall with the number of frames: more would not help." }
    let now = "With all \(trajectoryCount) frames, \((100 * error).fixed(1)) % of the force is error for want of frames"
    return error < 0.05
      ? "\(now): enough. What is left is beyond pairs and triplets; a network may learn it."
      : "\(now); \(more.fixed(0)) independent ones would halve that."
  }

  var json: JSONValue {
    let error = law.relativeForceError(frameCount: Double(trajectoryCount))
    let rows = self.rows.map { row in
      JSONValue.object([
        .init("n_frames", JSONValue(row.frameCount)), .init("subsets", JSONValue(row.subsetCount)),
        .init("objective", .number(row.objective)), .init("excess", .number(row.excess)),
        .init("excess_error", .number(row.excessError)),
      ])
    }
    return .object([
      .init("points", .array(rows)), .init("limit", .number(law.limit)), .init("slope", .number(law.slope)),
      .init("relative_force_error", error.map { .number($0) } ?? .null), .init("verdict", .string(verdict)),
    ])
  }

  var figure: Figure {
    let x = rows.map { 1 / Double($0.frameCount) }
    let (low, high) = (0.0, x.max()!)
    let fit = [low, high].map { law.limit + law.slope * $0 }
    let panel = Panel(
      "Held-out objective", xLabel: "1 / frames", yLabel: "L [1/Å²]",
      curves: [
        Curve("L∞ + a/N", x: [low, high], y: fit, style: .faint),
        Curve("pairs and triplets", x: x, y: rows.map(\.objective), errors: rows.map(\.excessError), style: .next(0)),
      ])
    return Figure([panel])
  }
}
