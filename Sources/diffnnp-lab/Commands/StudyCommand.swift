import DiffNNP
import DiffNNPAnalysis
import DiffNNPCommandLine
import DiffNNPLab

#if canImport(Glibc)
  import Glibc
#endif

/// `diffnnp-lab study STUDY.yaml`.
enum StudyCommand: Command {
  static let syntax = Syntax(
    program: Program.lab.name, name: "study",
    summary: "Compare ways to learn a potential: train, run, measure, tabulate, draw.",
    operands: "STUDY.yaml", operandCount: 1...1,
    options: [
      .init(name: "--quick", summary: "The fewest frames, one replica and short runs of each row, to try a study."),
      .init(name: "--ps", value: "TIME", summary: "Length of these short runs (ps), 5 by default."),
      .init(name: "--results", value: "DIR", summary: "Directory of the results, instead of the study's."),
      .init(name: "--rows", value: "NAMES", summary: "Run these rows alone: default,forces"),
      .init(name: "--report", summary: "Run nothing; make tables and figures of what there is."),
      .init(name: "--launcher", value: "PATH", summary: "LAMMPS with pair_style diffnnp; lmp-diffnnp by default."),
    ],
    details: """
      A study is a YAML file; examples/licl/figures/study.yaml is one, and explains itself. Each training leaves a record
      below RESULTS/runs; where there is one already, made with the same settings, the training is not repeated, so that a
      study can be stopped and continued, and rows be added. Deleting a record makes it again.
      """)

  static func run(_ arguments: Arguments) throws {
    var study = try Study(path: arguments.operands[0])
    if let results = arguments.text("--results") { study.results = results }
    if arguments.flag("--quick") {
      study = study.quick(
        duration: try arguments.number("--ps") ?? 5,
        results: arguments.text("--results") ?? "\(study.work)/quick/results")
    } else if arguments.text("--ps") != nil {
      throw UsageError("--ps is for --quick; the study says how long its runs are")
    }
    try OutputFile.checkDirectory(study.results)
    let rows = arguments.list("--rows") ?? study.rows.map(\.name)
    for row in rows where !study.rows.contains(where: { $0.name == row }) {
      throw UsageError("--rows \(row): no such row\(didYouMean(row, of: study.rows.map(\.name)))")
    }
    let runs = !arguments.flag("--report")
    var runner = StudyRunner(study, launcher: runs ? try LAMMPSLauncher.path(arguments) : nil, for: Self.self)
    if runs { try runAll(study.jobs.filter { rows.contains($0.row.name) }, &runner) }
    try StudyReport(study: study, records: runner.records()).write()
    print("\(study.report ?? study.results)")
  }

  private static func runAll(_ jobs: [StudyJob], _ runner: inout StudyRunner) throws {
    let missing = try jobs.filter { try runner.record($0) == nil }
    fputs("study: \(missing.count) of \(counted(jobs.count, "training")) to do\n", stderr)
    guard !missing.isEmpty else { return }
    // Programs that are missing are reported before the work begins.
    for job in missing { _ = try StudyRunner.trainer(of: job.row.source) }
    let bar = ProgressBar("study", total: missing.count)
    for (k, job) in missing.enumerated() {
      bar.update(k, note: job.key.name)
      do {
        let record = try runner.run(job)
        if let failure = record.failure { fputs("study: \(job.key.name) failed: \(failure)\n", stderr) }
      } catch let error as DiffNNPError where job.row.isForeign {
        // Other programs may be missing here; their rows then stay empty.
        fputs("study: \(job.key.name) could not be made: \(error)\n", stderr)
      }
    }
    bar.update(missing.count)
    bar.finish()
  }
}
