import DiffNNP
import DiffNNPAnalysis
import DiffNNPFrames
import DiffNNPTraining

/// The result of one training: that of a member of an ensemble, or the only one.
package struct TrainedPotential {
  /// The fit of pairs and triplets, refined where it was.
  package let fit: LinearFit.Result
  private let trainer: NetworkTrainer?
  package let network: Network?
  private let refinement: StepwiseStage.Refinement

  /// Trains what follows a fit, and lists the settings that the fit compared beside the output.
  /// - Parameters:
  ///   - noise: what the network learns from; nil for that of its settings.
  ///   - resumes: whether to continue from a checkpoint, if there is one.
  /// - Throws: where a held-out objective is not negative (see `requireGain`), and what the stages after the fit throw.
  package init(
    _ fit: LinearFit.Result, _ configuration: TrainingConfiguration, noise: NetworkNoise? = nil,
    _ trajectory: Trajectory, resumes: Bool
  ) throws {
    try naming(configuration.frames) { try Self.requireGain(fit.heldOutObjective, "the pair term's") }
    if configuration.fit.ranks.isFirst { try Self.writeCandidates(fit, output: configuration.output) }
    var stage = try StepwiseStage(configuration, noise: noise, fit, trajectory, resumes: resumes)
    let outcome = try stage.run()
    if let trainer = stage.trainer { try Self.requireGain(trainer.bestHeldOut, "the network's") }
    (self.fit, trainer) = (outcome.fit, stage.trainer)
    (network, refinement) = (outcome.network, outcome.refinement)
  }

  /// - Throws: where the held-out objective is not below that of the zero potential, which is 0.
  private static func requireGain(_ heldOut: Double, _ whose: String) throws {
    guard !(heldOut < 0) else { return }
    throw DiffNNPError(
      "\(whose) held-out objective is \(thousandths(heldOut)), where no potential at all has 0 and less is better: nothing was "
        + "learned that holds for other frames; check units, temperature and order of the frames, or give more, or another objective"
    )
  }

  /// The terms of the potential, in units of kT.
  package func terms() throws -> [any Term] { try fit.terms() + [network].compactMap { $0 } }

  // MARK: Records

  /// Path of the file beside a weight file that lists the settings which cross-validation compared.
  package static func candidatesPath(_ output: String) -> String { output + ".fit.csv" }

  /// Writes all candidates of a fit, one a line.
  private static func writeCandidates(_ fit: LinearFit.Result, output: String) throws {
    var lines = [(["objective"] + fit.priorKeys + ["held_out", "chosen"]).joined(separator: ",")]
    for candidate in fit.candidates {
      let priors = fit.priorKeys.indices.map { $0 < candidate.priors.count ? "\(candidate.priors[$0])" : "" }
      let isChosen = fit.chosen.contains(candidate) ? "1" : "0"
      lines.append((["\"\(candidate.name)\""] + priors + ["\(candidate.heldOut)", isChosen]).joined(separator: ","))
    }
    try FileIO.write(Array((lines.joined(separator: "\n") + "\n").utf8), to: candidatesPath(output))
  }

  /// The metadata of the weight file.
  package func metadata(_ trajectory: Trajectory, _ configuration: TrainingConfiguration) -> PotentialMetadata {
    var metadata = fit.metadata(trajectory, temperature: configuration.temperature)
    metadata.provenance = [
      "program": "diffnnp \(diffnnpVersion)",
      "frames": "\(trajectory.frames.count) from \(configuration.frames)",
      "objective": configuration.fit.objective.rawValue,
      "seed": "\(configuration.fit.seed)",
      "chosen": fit.chosen.map(describe).joined(separator: "; "),
      "held-out objective": "\(fit.heldOutObjective)",
    ]
    if case .corrected(let steps) = refinement { metadata.provenance["refined by likelihood"] = "\(steps) steps" }
    if let trainer {
      metadata.sigma = trainer.runSigma
      metadata.provenance["network's noise levels (Å)"] = trainer.sigmas.map { "\($0)" }.joined(separator: " ")
      metadata.provenance["network's held-out objective"] = "\(trainer.bestHeldOut) at step \(trainer.bestStep)"
    }
    return metadata
  }

  private func describe(_ candidate: LinearFit.Candidate) -> String {
    ([candidate.name] + zip(fit.priorNames, candidate.priors).map { "\($0) \($1)" }).joined(separator: ", ")
  }

  /// A summary of the training, in lines of text.
  package func summary(_ typeNames: [String]) -> [String] {
    var lines = fit.chosen.map { "chosen: \(describe($0))" }
    lines.append("pair term's held-out objective at σ → 0: \(thousandths(fit.heldOutObjective)) for a frame")
    for functions in fit.functions.dropFirst() {
      lines.append("\(functions.name): \(functions.count) functions up to \(thousandths(functions.rMax)) Å")
    }
    if let trainer {
      lines.append(
        "network's held-out objective at σ = \(trainer.runSigma) Å: \(thousandths(trainer.bestHeldOut)) for an atom, "
          + "from step \(trainer.bestStep) of \(trainer.step)")
    }
    switch refinement {
    case .notWanted: break
    case .impossible: lines.append("refinement by likelihood: left out, as it needs the same atoms in all frames")
    case .foundNothing:
      lines.append(
        "refinement by likelihood: the frames' own uncertainty explains all differences; nothing was changed")
    case .corrected(let steps): lines.append("refined by likelihood in \(steps) steps")
    }
    return lines + distances(typeNames)
  }

  private func distances(_ names: [String]) -> [String] {
    names.indices.flatMap { a in
      (a..<names.count).map { b in
        let p = TypePairs.index(a, b, typeCount: names.count)
        let (smallest, wall) = (fit.smallestDistances[p], fit.wallDistances[p])
        let outlier = smallest + 0.05 < wall ? "; wall at \(thousandths(wall)) Å, past a gap in the data" : ""
        let distance = smallest.isFinite ? "\(thousandths(smallest)) Å" : "never met"
        return "smallest \(names[a])-\(names[b]) distance: \(distance)\(outlier)"
      }
    }
  }
}
