import DiffNNP
import DiffNNPCommandLine
import DiffNNPFrames
import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// The part of `diffnnp train` in which a network learns, first from scores and then by likelihood: progress, logs,
/// checkpoints, Ctrl-C.
struct NetworkStage {
  let trainer: NetworkTrainer
  let output: String
  private let ranks: Ranks
  /// Begins the refinement; called once the trainer is finished.
  private let makeRefinement: () throws -> LikelihoodRefinement
  private var refinement: LikelihoodRefinement?
  private var log: StepLog
  private var likelihoodLog: StepLog

  static func checkpointPath(_ output: String) -> String { output + ".checkpoint" }
  static func logPath(_ output: String) -> String { output + ".log.csv" }
  static func likelihoodLogPath(_ output: String) -> String { output + ".likelihood.csv" }

  /// Steps of the refinement between two checkpoints.
  private static let likelihoodInterval = 25

  /// Whether a network can be trained as asked, and continued from the checkpoint: found out by a trainer without the pair
  /// term, before that is fitted.
  static func check(_ configuration: TrainingConfiguration, _ trajectory: Trajectory, resumes: Bool) throws {
    guard let settings = configuration.network else { return }
    let trainer = try naming(configuration.frames) {
      try trajectory.requirePairs(within: settings.rMax, "network.r_max")
      return try NetworkTrainer(
        settings, pair: nil, pairSettings: configuration.pair, trajectory: trajectory,
        temperature: configuration.temperature)
    }
    let path = checkpointPath(configuration.output)
    guard resumes, access(path, F_OK) == 0 else { return }
    let file = try SafetensorsFile(path: path)
    try naming("checkpoint \(path)") {
      try trainer.resume(from: file)
      _ = try LikelihoodRefinement.isPart(of: file, settings)
    }
  }

  static func sayWhereNothingContinues(_ configuration: TrainingConfiguration, _ ranks: Ranks) {
    let path = checkpointPath(configuration.output)
    guard access(path, F_OK) != 0 else { return }
    ranks.say("no checkpoint \(path) to continue from; training starts anew")
  }

  init(
    _ trainer: NetworkTrainer, output: String, resumes: Bool, ranks: Ranks,
    makeRefinement: @escaping () throws -> LikelihoodRefinement
  ) throws {
    self.trainer = trainer
    (self.output, self.ranks) = (output, ranks)
    self.makeRefinement = makeRefinement
    log = StepLog(path: Self.logPath(output), header: "step,loss,held_out,learning_rate")
    likelihoodLog = StepLog(path: Self.likelihoodLogPath(output), header: "step,pair_difference,restarts")
    if resumes, access(Self.checkpointPath(output), F_OK) == 0 { try resume() }
  }

  private mutating func resume() throws {
    let path = Self.checkpointPath(output)
    let file = try SafetensorsFile(path: path)
    try naming("checkpoint \(path)") { try trainer.resume(from: file) }
    try log.load(upTo: trainer.step)
    var place = "step \(trainer.step)"
    if try LikelihoodRefinement.isPart(of: file, trainer.settings) {
      let refinement = try makeRefinement()
      try naming("checkpoint \(path)") { try refinement.resume(from: file) }
      try likelihoodLog.load(upTo: refinement.step)
      self.refinement = refinement
      place = "step \(refinement.step) of the refinement by likelihood"
    }
    ranks.say("continuing from \(place)")
  }

  /// Trains to the end. Returns the best network and, where it was refined, the pair term that goes with it.
  /// - Throws: `Interrupted` after Ctrl-C, with a checkpoint on disk.
  mutating func run() throws -> (network: Network, pair: PairTerm?) {
    Interruption.watch()
    defer { Interruption.unwatch() }
    try learnScores()
    guard trainer.isRefined else { return (try trainer.result(), nil) }
    let refinement = try self.refinement ?? makeRefinement()
    self.refinement = refinement
    try refine(refinement)
    let result = try refinement.result()
    return (result.network, result.pair)
  }

  private mutating func learnScores() throws {
    guard !trainer.isFinished else { return }
    let bar = ProgressBar("network", total: trainer.settings.steps, isShown: ranks.isFirst)
    defer { bar.finish() }
    while !trainer.isFinished {
      let report = try trainer.advance()
      if let heldOut = report.heldOut {
        log.append(report.step, "\(report.loss),\(heldOut),\(report.learningRate)")
        try saveProgress()
      }
      bar.update(report.step, note: note)
      try stopIfAsked("step \(trainer.step)")
    }
  }

  private mutating func refine(_ refinement: LikelihoodRefinement) throws {
    let bar = ProgressBar("likelihood", total: refinement.steps, isShown: ranks.isFirst)
    defer { bar.finish() }
    while !refinement.isFinished {
      let report = try refinement.advance()
      likelihoodLog.append(report.step, "\(report.pairDifference),\(report.restarts)")
      if report.step % Self.likelihoodInterval == 0 || refinement.isFinished { try saveProgress() }
      let restarts = report.restarts > 0 ? ", \(report.restarts) chains begun anew" : ""
      bar.update(report.step, note: "pairs differ by \(thousandths(100 * report.pairDifference)) %" + restarts)
      try stopIfAsked("step \(refinement.step) of the refinement by likelihood")
    }
  }

  private func stopIfAsked(_ place: String) throws {
    guard try ranks.any(Interruption.isRequested) else { return }
    try saveProgress()
    throw Interrupted("interrupted at \(place); \(Self.checkpointPath(output)) is saved: --resume continues")
  }

  private func saveProgress() throws {
    guard ranks.isFirst else { return }
    var file = trainer.checkpoint()
    refinement?.addCheckpoint(to: &file)
    try FileIO.write(file.serialised(), to: Self.checkpointPath(output))
    try log.write()
    if refinement != nil { try likelihoodLog.write() }
  }

  private var note: String {
    trainer.bestHeldOut.isFinite ? "held-out \(thousandths(trainer.bestHeldOut)) at step \(trainer.bestStep)" : ""
  }
}

/// A course of training as CSV, a row for a step.
private struct StepLog {
  let path: String
  let header: String
  private var rows: [(step: Int, line: String)] = []

  init(path: String, header: String) {
    self.path = path
    self.header = header
  }

  mutating func append(_ step: Int, _ columns: String) { rows.append((step, "\(step),\(columns)")) }

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
    let lines = [header] + rows.map(\.line)
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
