import DiffNNP
import DiffNNPFrames
import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// The stages of `diffnnp train` that are iterative, the training of a network by denoising and the refinement by
/// likelihood, with progress, logs, checkpoints and Ctrl-C.
package struct StepwiseStage {
  /// The result of these stages.
  package struct Outcome {
    package var fit: LinearFit.Result
    package var network: Network?
    package var refinement: Refinement
  }

  /// The outcome of the refinement by likelihood.
  package enum Refinement {
    case notWanted
    /// Frames have different compositions, or the fit has no pseudo-likelihood.
    case impossible
    case foundNothing
    case corrected(steps: Int)
  }

  private let configuration: TrainingConfiguration
  private let fit: LinearFit.Result
  private let trajectory: Trajectory
  /// The trainer of the network; nil where none is wanted.
  package let trainer: NetworkTrainer?
  private var output: String { configuration.output }
  private var ranks: Ranks { configuration.fit.ranks }
  private var refinement: LikelihoodRefinement?
  private var log: StepLog
  private var refinementLog: StepLog

  /// Path of the file that an interrupted training is continued from.
  package static func checkpointPath(_ output: String) -> String { output + ".checkpoint" }
  static func logPath(_ output: String) -> String { output + ".network.csv" }
  static func refinementLogPath(_ output: String) -> String { output + ".refinement.csv" }

  /// Files beside the weight file.
  package static func outputs(_ configuration: TrainingConfiguration) -> [String] {
    let output = configuration.output
    return (configuration.network == nil ? [] : [logPath(output)])
      + (configuration.isRefined ? [refinementLogPath(output)] : [])
      + (configuration.network == nil && !configuration.isRefined ? [] : [checkpointPath(output)])
  }

  /// Steps of the refinement between two checkpoints.
  private static let refinementInterval = 25

  /// Checks, before pairs are fitted, whether a network can be trained with these settings, by a trainer without pairs,
  /// and whether the checkpoint is one of this training.
  /// - Parameter noise: that the network learns from; nil for that of its settings.
  package static func check(
    _ configuration: TrainingConfiguration, noise: NetworkNoise? = nil, _ trajectory: Trajectory, resumes: Bool
  ) throws {
    let trainer = try configuration.network.map { settings in
      try naming(configuration.frames) {
        try trajectory.requirePairs(within: settings.rMax, "network.r_max")
        return try NetworkTrainer(
          settings, nil, configuration.fit, noise: noise, trajectory: trajectory,
          temperature: configuration.temperature)
      }
    }
    let path = checkpointPath(configuration.output)
    guard resumes, access(path, F_OK) == 0 else { return }
    let file = try SafetensorsFile(path: path)
    try naming("checkpoint \(path)") {
      try trainer?.resume(from: file)
      let reachesRefinement = try isRefining(file, configuration)
      guard trainer != nil || reachesRefinement else {
        throw DiffNNPError("it is of another training; remove it, or train without --resume")
      }
    }
  }

  /// Whether a checkpoint was written during the refinement.
  private static func isRefining(_ file: SafetensorsFile, _ configuration: TrainingConfiguration) throws -> Bool {
    guard configuration.isRefined else { return false }
    return try LikelihoodRefinement.isCheckpoint(
      file, steps: configuration.refinementSteps, configuration.network)
  }

  /// Prints a line where there is no checkpoint to continue from.
  package static func reportMissingCheckpoint(_ configuration: TrainingConfiguration, _ ranks: Ranks) {
    let path = checkpointPath(configuration.output)
    guard access(path, F_OK) != 0 else { return }
    ranks.say("no checkpoint \(path) to continue from; training starts anew")
  }

  /// - Parameters:
  ///   - noise: the noise that the network learns from; nil for that of its settings.
  ///   - fit: the fit of pairs and triplets that precedes these stages.
  ///   - resumes: whether to continue from the checkpoint, if there is one.
  package init(
    _ configuration: TrainingConfiguration, noise: NetworkNoise? = nil, _ fit: LinearFit.Result,
    _ trajectory: Trajectory, resumes: Bool
  ) throws {
    (self.configuration, self.fit, self.trajectory) = (configuration, fit, trajectory)
    trainer = try configuration.network.map {
      try NetworkTrainer(
        $0, fit, configuration.fit, noise: noise, trajectory: trajectory, temperature: configuration.temperature)
    }
    log = StepLog(path: Self.logPath(configuration.output), header: "step,loss,held_out,learning_rate")
    refinementLog = StepLog(
      path: Self.refinementLogPath(configuration.output), header: "step,difference,restarts")
    if resumes, access(Self.checkpointPath(output), F_OK) == 0 { try resume() }
  }

  private mutating func resume() throws {
    let path = Self.checkpointPath(output)
    let file = try SafetensorsFile(path: path)
    var position = ""
    if let trainer {
      try naming("checkpoint \(path)") { try trainer.resume(from: file) }
      try log.load(upTo: trainer.step)
      position = "step \(trainer.step)"
    }
    if try Self.isRefining(file, configuration) {
      let refinement = try makeRefinement()
      try naming("checkpoint \(path)") { try refinement.resume(from: file) }
      try refinementLog.load(upTo: refinement.step)
      self.refinement = refinement
      position = "step \(refinement.step) of the refinement by likelihood"
    }
    ranks.say("continuing from \(position)")
  }

  /// Makes the refinement; the trainer must be finished.
  private func makeRefinement() throws -> LikelihoodRefinement {
    try LikelihoodRefinement(
      fit, trainer, trajectory: trajectory, steps: configuration.refinementSteps, seed: configuration.fit.seed,
      threads: configuration.fit.threads, ranks: ranks)
  }

  /// Runs the stages to their end.
  /// - Throws: `Interrupted` after Ctrl-C, with a checkpoint on disk.
  package mutating func run() throws -> Outcome {
    Interruption.watch()
    defer { Interruption.unwatch() }
    try trainer.map { try learnScores($0) }
    guard configuration.isRefined else { return try unrefined(.notWanted) }
    guard LikelihoodRefinement.isPossible(fit, trajectory) else { return try unrefined(.impossible) }
    let refinement = try self.refinement ?? makeRefinement()
    self.refinement = refinement
    try refine(refinement)
    guard refinement.hasCorrected else { return try unrefined(.foundNothing) }
    let result = try refinement.result()
    return Outcome(fit: result.fit, network: result.network, refinement: .corrected(steps: refinement.steps))
  }

  /// The outcome where the refinement changed nothing.
  private func unrefined(_ refinement: Refinement) throws -> Outcome {
    Outcome(fit: fit, network: try trainer?.result(), refinement: refinement)
  }

  private mutating func learnScores(_ trainer: NetworkTrainer) throws {
    guard !trainer.isFinished else { return }
    let bar = ProgressBar("network", total: trainer.settings.steps, isShown: ranks.isFirst)
    defer { bar.finish() }
    while !trainer.isFinished {
      let report = try trainer.advance()
      if let heldOut = report.heldOut {
        log.append(report.step, "\(report.loss),\(heldOut),\(report.learningRate)")
        try saveProgress()
      }
      bar.update(report.step, note: note(trainer))
      try stopIfAsked("step \(trainer.step)")
    }
  }

  private mutating func refine(_ refinement: LikelihoodRefinement) throws {
    let bar = ProgressBar("refinement", total: refinement.steps, isShown: ranks.isFirst)
    defer { bar.finish() }
    while !refinement.isFinished {
      let report = try refinement.advance()
      refinementLog.append(report.step, "\(report.countDifference),\(report.restarts)")
      if report.step % Self.refinementInterval == 0 || refinement.isFinished { try saveProgress() }
      let restarts = report.restarts > 0 ? ", \(report.restarts) chains begun anew" : ""
      bar.update(
        report.step, note: "numbers of neighbours differ by \(thousandths(100 * report.countDifference)) %" + restarts)
      try stopIfAsked("step \(refinement.step) of the refinement by likelihood")
    }
  }

  private func stopIfAsked(_ position: String) throws {
    guard try ranks.any(Interruption.isRequested) else { return }
    try saveProgress()
    throw Interrupted("interrupted at \(position); \(Self.checkpointPath(output)) is saved: --resume continues")
  }

  private func saveProgress() throws {
    guard ranks.isFirst else { return }
    var file = trainer?.checkpoint() ?? SafetensorsFile(metadata: [:], tensors: [])
    refinement?.addCheckpoint(to: &file)
    try FileIO.write(file.serialised(), to: Self.checkpointPath(output))
    if trainer != nil { try log.write() }
    if refinement != nil { try refinementLog.write() }
  }

  private func note(_ trainer: NetworkTrainer) -> String {
    trainer.bestHeldOut.isFinite ? "held-out \(thousandths(trainer.bestHeldOut)) at step \(trainer.bestStep)" : ""
  }
}

/// The course of a training as CSV, one row per step that is logged.
private struct StepLog {
  let path: String
  let header: String
  private var rows: [(step: Int, line: String)] = []

  init(path: String, header: String) {
    self.path = path
    self.header = header
  }

  mutating func append(_ step: Int, _ columns: String) { rows.append((step, "\(step),\(columns)")) }

  /// Reads the rows of an interrupted run, up to a step.
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

/// Ctrl-C (SIGINT) and SIGTERM, which are noticed between steps.
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
    // The signal mask is inherited from the parent, which may have blocked these signals.
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  static func unwatch() {
    for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
  }
}

/// A number rounded to three decimals, for messages.
package func thousandths(_ x: Double) -> Double { (x * 1000).rounded() / 1000 }
