import DiffNNP
import DiffNNPCommandLine
import DiffNNPFrames
import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// The part of `diffnnp train` in which a network learns: progress, log, checkpoints, Ctrl-C.
struct NetworkStage {
  let trainer: NetworkTrainer
  let output: String
  private var log: TrainingLog

  static func checkpointPath(_ output: String) -> String { output + ".checkpoint" }
  static func logPath(_ output: String) -> String { output + ".log.csv" }

  /// Whether a network can be trained as asked, and continued from the checkpoint: found out by a trainer without the pair
  /// term, before that is fitted. Says where there is nothing to continue from.
  static func check(_ configuration: TrainingConfiguration, _ trajectory: Trajectory, resumes: Bool) throws {
    guard let settings = configuration.network else { return }
    let trainer = try naming(configuration.frames) {
      try trajectory.requirePairs(within: settings.rMax, "network.r_max")
      return try NetworkTrainer(
        settings, pair: nil, pairSettings: configuration.pair, trajectory: trajectory,
        temperature: configuration.temperature)
    }
    guard resumes else { return }
    let checkpoint = checkpointPath(configuration.output)
    if access(checkpoint, F_OK) == 0 {
      try trainer.resume(from: checkpoint)
    } else {
      fputs("train: no checkpoint \(checkpoint) to continue from; training starts anew\n", stderr)
    }
  }

  init(_ trainer: NetworkTrainer, output: String, resumes: Bool) throws {
    self.trainer = trainer
    self.output = output
    log = TrainingLog(path: Self.logPath(output))
    let checkpoint = Self.checkpointPath(output)
    if resumes, access(checkpoint, F_OK) == 0 {
      try trainer.resume(from: checkpoint)
      try log.load(upTo: trainer.step)
      fputs("train: continuing from step \(trainer.step)\n", stderr)
    }
  }

  /// Trains to the end, and returns the best network.
  /// - Throws: `Interrupted` after Ctrl-C, with a checkpoint on disk.
  mutating func run() throws -> Network {
    Interruption.watch()
    defer { Interruption.unwatch() }
    let bar = ProgressBar("network", total: trainer.settings.steps)
    while !trainer.isFinished {
      let report = try trainer.advance()
      if let heldOut = report.heldOut {
        log.append(report, heldOut: heldOut)
        try saveProgress()
      }
      bar.update(report.step, note: note)
      if Interruption.isRequested {
        try saveProgress()
        bar.finish()
        throw Interrupted(
          "interrupted at step \(trainer.step); \(Self.checkpointPath(output)) is saved: --resume continues")
      }
    }
    bar.finish()
    return try trainer.result()
  }

  private func saveProgress() throws {
    try trainer.save(to: Self.checkpointPath(output))
    try log.write()
  }

  private var note: String {
    trainer.bestHeldOut.isFinite ? "held-out \(thousandths(trainer.bestHeldOut)) at step \(trainer.bestStep)" : ""
  }
}

/// The training curve as CSV: one row for each validation.
private struct TrainingLog {
  let path: String
  private var rows: [(step: Int, line: String)] = []

  private static let header = "step,loss,held_out,learning_rate"

  init(path: String) { self.path = path }

  mutating func append(_ report: NetworkTrainer.Report, heldOut: Double) {
    rows.append((report.step, "\(report.step),\(report.loss),\(heldOut),\(report.learningRate)"))
  }

  /// Takes over the rows of an earlier run.
  mutating func load(upTo step: Int) throws {
    guard access(path, F_OK) == 0 else { return }
    let text = String(decoding: try FileIO.read(path), as: UTF8.self)
    for line in text.split(separator: "\n").dropFirst() {
      guard let first = line.split(separator: ",").first.flatMap({ Int($0) }), first <= step else { continue }
      rows.append((first, String(line)))
    }
  }

  func write() throws {
    let lines = [Self.header] + rows.map(\.line)
    try FileIO.write(Array((lines.joined(separator: "\n") + "\n").utf8), to: path)
  }
}

/// Ctrl-C and the polite kill, noticed between steps.
enum Interruption {
  nonisolated(unsafe) private static var requested: sig_atomic_t = 0

  static var isRequested: Bool { requested != 0 }

  static func watch() {
    requested = 0
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in Interruption.requested = 1 }
      sigaddset(&signals, number)
    }
    // A parent's mask is inherited; whoever starts us from a thread that blocks signals can still stop us.
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  static func unwatch() {
    for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
  }
}

/// A number for people, to three decimals.
func thousandths(_ x: Double) -> Double { (x * 1000).rounded() / 1000 }
