import DiffNNP
import DiffNNPAnalysis
import DiffNNPCommandLine
import DiffNNPFrames
import DiffNNPMPI
import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// `diffnnp train`.
enum TrainCommand: ParallelCommand {
  static let syntax = Syntax(
    name: "train", summary: "Learn a potential from equilibrium configurations.", operands: "CONFIG.yaml | FRAMES",
    operandCount: 1...1,
    options: [
      .init(name: "--output", short: "-o", value: "FILE", summary: "The weight file to write: model.safetensors."),
      .init(name: "--temperature", value: "KELVIN", summary: "Temperature of the frames."),
      .init(
        name: "--objective", value: "KIND",
        summary: "What to learn from: denoising (default: configurations alone), forces, or mixed."),
      .init(name: "--seed", value: "N", summary: "Seed of all random numbers (default 1)."),
      .init(
        name: "--threads", value: "N", summary: "Threads; the result does not depend on them (default: all cores)."),
      .init(
        name: "--set", value: "KEY=VALUE", summary: "Set any key of the configuration: noise.mode=fresh.", repeats: true
      ),
      .init(
        name: "--members", value: "N",
        summary: "Train an ensemble of N, whose spread shows how uncertain forces are (default 1: none)."),
      .init(name: "--network", summary: "Train a network on what the pair term leaves, with the defaults below."),
      .init(
        name: "--resume",
        summary: "Continue an interrupted training from OUTPUT.checkpoint; where there is none, say so and start anew."),
    ] + TrajectoryOptions.options,
    details: """
      mpirun -np N diffnnp train …, of Open MPI or MPICH, shares the work among N processes; the result does not depend on them.

      FRAMES is extended XYZ or a LAMMPS text dump (both also as .gz), or NPZ with NequIP's keys. Options take
      precedence over the configuration, a YAML file with these keys (defaults in brackets):

        frames: FILE           the trajectory, in order of time
        slice: START:STOP:STEP frames of it to use, counted from 0 [all]
        select: [Li, Cl]       species to keep, in this order of types [all]
        types: [Li, Cl]        names of the types 1, 2, … of a file that numbers them; numbers in the column of species of
                               extended XYZ are atomic numbers without them
        units: NAME            of a file that does not name its own: a style of LAMMPS (real, metal, electron, nano, si, cgs,
                               micro), or [LENGTH, FORCE], such as [nm, kJ/mol/nm] [Å and eV/Å]
        forces_name: NAME      column or array of forces [forces or force, fx fy fz, F]
        temperature: K         of the frames
        output: FILE           the weight file; FILE.pair.csv lists the settings compared for pairs and triplets, and
                               FILE.log.csv and FILE.likelihood.csv are the curves of network and refinement
        objective: KIND        denoising, forces or mixed [denoising]; forces that cannot be those of the configurations, in eV/Å at
                               this temperature, are refused
        seed: N                [1]
        threads: N             [all cores]
        members: N             of an ensemble: the first is what a training without the others gives, these learn from frames
                               drawn anew in pieces of time, with other seeds; their tables begin with FILE.memberK [1]
        blocks: N              blocks of time for cross-validation [5]
        likelihood_steps: N    of the refinement at the end: where triplets or a network are, all is moved until short runs
                               of its own have the structure of the frames; 0 for none [300]
        noise:
          mode: NAME           ladder, fixed, copies, fresh, antithetic or variance-preserving [ladder]
          sigma: Å             one level; for the ladder, where pair.likelihood is false, a list from 0 on [0 … 0.4]
          copies: N            draws for each frame, for modes copies, antithetic (pairs) and variance-preserving
        pair:
          r_max: Å             cutoff [12, half the cell, or as far as 150 neighbours, whichever is least]
          spacing: Å           between knots of the splines [0.1]
          likelihood: BOOL     refine by the conditional likelihood of each atom's place [true]
        triplets:              three-body functions beside the pair term, or false for none [with these,
                                 where pair.likelihood or forces allow them]
          r_max: Å             cutoff [3.1 times the smallest distance of the frames, at most the pair term's]
          intervals: N         knot intervals of the splines up to there [12, 8, 5, 4 with 1, 2, 3, more types]
          l_max: N             highest Legendre polynomial of angles, 0 to 3 [3 with one type, else 2]
        network:               a network for what pairs and triplets leave; without this section, none
          features: N          of each degree on an atom [16]
          layers: N            interaction layers [3]
          l_max: N             highest degree, 0 to 3 [2]
          r_max: Å             cutoff [5]
          num_basis: N         Bessel functions [8]
          radial_layers: N     hidden layers of the radial network [2]
          radial_width: N      and their width [32]
          sigma: [Å, …]        noise levels of the ladder; run at the smallest [0.01, 0.02, 0.04]
          sigma_order: N       how weights follow the level: powers of its logarithm, the constant included [2]
          steps: N             of the optimiser at most [2000]
          batch_size: N        frames for each step [1]
          learning_rate: X     of Adam; it falls to 0 as half a cosine [0.01]
          ema: X               decay of the weights' moving average [0.998]
          validation_interval: N  steps between validations on the last block of time [50]
          patience: N          steps without a better validation before stopping early; 0 for never [1000]
          likelihood_rate: X   of Adam in the refinement [0.002]
      """)

  static func run(_ arguments: Arguments, on ranks: Ranks) throws {
    var configuration = try configuration(arguments, ranks)
    configuration.pair.ranks = ranks
    let resumes = arguments.flag("--resume")
    guard configuration.network != nil || configuration.isRefined || !resumes else {
      throw UsageError(
        "--resume continues a network or a refinement, and neither is asked for; leave it out")
    }
    for output in ranks.isFirst ? outputs(configuration) : [] {
      try OutputFile.check(output, inputs: [configuration.frames, arguments.operands[0]])
    }
    let all = try Trajectory.read(
      path: configuration.frames, configuration.selection, for: Self.self, isFirst: ranks.isFirst)
    try checkForces(all, configuration)
    let start = monotonicSeconds()
    // All that can be refused is refused before the work, and before any file changes.
    let trajectory = try naming(configuration.frames) {
      try PairFit(configuration.pair, temperature: configuration.temperature).withoutTraps(all)
    }
    try all.requireDifferentFrames(path: configuration.frames)
    if configuration.pair.objective != .denoising { ranks.say("\(configuration.frames): \(all.report.units)") }
    if trajectory.frames.count < all.frames.count {
      ranks.say(
        "\(counted(all.frames.count - trajectory.frames.count, "frame")) left out, in which atoms are closer "
          + "than a wide gap in the distances allows: a trap of the run, or an error")
    }
    for number in 1...(resumes ? configuration.members : 1) {
      try StepwiseStage.check(
        configuration.configuration(ofMember: number), frames(ofMember: number, configuration, trajectory),
        resumes: resumes)
    }
    if resumes { StepwiseStage.sayWhereNothingContinues(configuration, ranks) }

    let first = try Member(1, configuration, trajectory, resumes: resumes)
    let members =
      try [first]
      + (2..<configuration.members + 1).map { number in
        var settings = configuration
        settings.pair.rMax = first.fit.basis.rMax
        return try Member(number, settings, trajectory, resumes: resumes)
      }
    let elapsed = monotonicSeconds() - start
    let learned = try potential(members, trajectory, configuration)
    try all.frames.check()
    guard ranks.isFirst else { return }
    try learned.save(path: configuration.output)
    for number in 1...configuration.members {
      unlink(StepwiseStage.checkpointPath(configuration.configuration(ofMember: number).output))
    }
    summarise(first, trajectory, configuration, elapsed: elapsed)
  }

  /// - Throws: where forces are asked for that are there under another name.
  private static func checkForces(_ trajectory: Trajectory, _ configuration: TrainingConfiguration) throws {
    guard configuration.pair.objective != .denoising, let name = trajectory.report.likelyForces.first else { return }
    throw DiffNNPError(
      "\(configuration.frames): no forces, which objective \(configuration.pair.objective.rawValue) needs; \(name) "
        + "looks like them: read it with --forces-name \(name)")
  }

  /// The result of one training: that of a member of an ensemble, or the only one.
  private struct Member {
    /// Pairs and triplets as they are run.
    let fit: PairFit.Result
    let trainer: NetworkTrainer?
    let network: Network?
    let refinement: StepwiseStage.Refinement

    /// - Parameter number: of the member, from 1.
    init(_ number: Int, _ whole: TrainingConfiguration, _ all: Trajectory, resumes: Bool) throws {
      let configuration = whole.configuration(ofMember: number)
      let trajectory = try frames(ofMember: number, whole, all)
      let name = whole.members > 1 ? "member \(number) of \(whole.members): " : ""
      var pairFit = try PairFit(configuration.pair, temperature: configuration.temperature)
      let ranks = configuration.pair.ranks
      pairFit.progress = { ranks.say("\(name)\($0)") }
      let fit = try naming(configuration.frames) { try pairFit.run(trajectory) }
      try naming(configuration.frames) { try requireGain(fit.heldOutObjective, "the pair term's") }
      if ranks.isFirst { try writeLog(fit, path: pairLogPath(configuration.output)) }
      var stage = try StepwiseStage(configuration, fit, trajectory, resumes: resumes)
      let outcome = try stage.run()
      if let trainer = stage.trainer { try requireGain(trainer.bestHeldOut, "the network's") }
      (self.fit, trainer, network, refinement) = (outcome.fit, stage.trainer, outcome.network, outcome.refinement)
    }
  }

  /// - Throws: where frames that were held out are met no better than by no potential at all, whose objective is 0.
  private static func requireGain(_ heldOut: Double, _ whose: String) throws {
    guard !(heldOut < 0) else { return }
    throw DiffNNPError(
      "\(whose) held-out objective is \(thousandths(heldOut)), where no potential at all has 0 and less is better: nothing was "
        + "learned that holds for other frames; check units, temperature and order of the frames, or give more, or another objective"
    )
  }

  /// The frames that a member learns from: all of them, or as many drawn anew.
  private static func frames(
    ofMember number: Int, _ whole: TrainingConfiguration, _ all: Trajectory
  ) throws -> Trajectory {
    if number == 1 { return all }
    let settings = whole.configuration(ofMember: number).pair
    return try all.resampled(blockCount: settings.blockCount, seed: settings.seed)
  }

  private static func potential(
    _ members: [Member], _ trajectory: Trajectory, _ configuration: TrainingConfiguration
  ) throws -> Potential {
    func potential(
      _ member: Member, grade: ExtrapolationGrade? = nil, others: [Potential] = [],
      metadata: PotentialMetadata = PotentialMetadata()
    ) throws -> Potential {
      try Potential(
        typeNames: trajectory.typeNames, energyScale: boltzmannConstant * configuration.temperature,
        terms: [member.fit.pairTerm(), member.fit.triplets, member.network], grade: grade, others: others,
        metadata: metadata)
    }
    let first = members[0]
    return try potential(
      first,
      grade: ExtrapolationGrade(
        of: trajectory, pair: first.fit.pairTerm(), network: first.network, threads: configuration.pair.threads,
        ranks: configuration.pair.ranks),
      others: members.dropFirst().map { try potential($0) }, metadata: metadata(first, trajectory, configuration))
  }

  /// The weight file and all that is written beside it.
  private static func outputs(_ configuration: TrainingConfiguration) -> [String] {
    [configuration.output]
      + (1...configuration.members).flatMap { sideOutputs(configuration.configuration(ofMember: $0)) }
  }

  private static func sideOutputs(_ configuration: TrainingConfiguration) -> [String] {
    [pairLogPath(configuration.output)] + StepwiseStage.outputs(configuration)
  }

  private static func pairLogPath(_ output: String) -> String { output + ".pair.csv" }

  // MARK: Configuration

  /// The configuration file, or one that names the frames alone, with the options set over it.
  static func configuration(_ arguments: Arguments, _ ranks: Ranks = .one) throws -> TrainingConfiguration {
    let operand = arguments.operands[0]
    let isConfiguration = [".yaml", ".yml"].contains { operand.hasSuffix($0) }
    var root = isConfiguration ? try YAMLNode.load(path: operand) : .empty(place: "diffnnp train")
    if !isConfiguration { try root.set("frames=\(quoted(operand))", place: operand) }
    for (option, key) in [
      ("--output", "output"), ("--frames", "slice"), ("--objective", "objective"), ("--forces-name", "forces_name"),
    ] {
      if let text = arguments.text(option) { try root.set("\(key)=\(quoted(text))", place: option) }
    }
    for (option, key) in [
      ("--temperature", "temperature"), ("--seed", "seed"), ("--members", "members"), ("--threads", "threads"),
    ] {
      if let text = arguments.text(option) { try root.set("\(key)=\(text)", place: option) }
    }
    for (option, key) in [("--select", "select"), ("--types", "types"), ("--units", "units")] {
      guard let names = arguments.list(option) else { continue }
      try root.set("\(key)=[\(names.map(quoted).joined(separator: ", "))]", place: option)
    }
    if arguments.flag("--network"), root.mapping?.contains(where: { $0.key == "network" }) != true {
      try root.set("network={}", place: "--network")
    }
    for assignment in arguments.all("--set") { try root.set(assignment, place: "--set") }
    if ranks.count > 1, root.mapping?.contains(where: { $0.key == "threads" }) != true {
      try root.set("threads=\(threadsOfARank)", place: "mpirun")
    }
    return try TrainingConfiguration(root)
  }

  /// Threads where several processes share a machine.
  private static var threadsOfARank: Int {
    min(
      Parallel.usableProcessorCount,
      max(1, Parallel.processorCount / Launch.current.countOnThisMachine))
  }

  /// Text that YAML reads as that text and nothing else.
  private static func quoted(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
  }

  // MARK: Results

  private static func metadata(
    _ member: Member, _ trajectory: Trajectory, _ configuration: TrainingConfiguration
  ) -> PotentialMetadata {
    let (result, trainer) = (member.fit, member.trainer)
    var metadata = result.metadata(trajectory, temperature: configuration.temperature)
    if let trainer { metadata.sigma = trainer.runSigma }
    metadata.provenance = [
      "program": "diffnnp \(diffnnpVersion)",
      "frames": "\(trajectory.frames.count) from \(configuration.frames)",
      "objective": configuration.pair.objective.rawValue,
      "seed": "\(configuration.pair.seed)",
      "noise levels (Å)": result.sigmas.map { "\($0)" }.joined(separator: " "),
      "chosen": result.chosen.map(describe).joined(separator: "; "),
      "held-out objective": "\(result.heldOutObjective)",
    ]
    if case .corrected(let steps) = member.refinement {
      metadata.provenance["refined by likelihood"] = "\(steps) steps"
    }
    if let trainer {
      metadata.provenance["network's noise levels (Å)"] =
        trainer.sigmas.map { "\($0)" }.joined(separator: " ")
      metadata.provenance["network's held-out objective"] = "\(trainer.bestHeldOut) at step \(trainer.bestStep)"
    }
    return metadata
  }

  private static func describe(_ candidate: PairFit.Candidate) -> String {
    "\(candidate.name), degree \(candidate.degree), smoothness \(candidate.prior.strength)"
      + (candidate.tripletWidth.map { ", width of triplets \($0) kT" } ?? "")
  }

  /// Writes all candidates, one a line.
  private static func writeLog(_ result: PairFit.Result, path: String) throws {
    var text = "objective,degree,smoothness,triplet_width,held_out,chosen\n"
    for candidate in result.candidates {
      text +=
        "\"\(candidate.name)\",\(candidate.degree),\(candidate.prior.strength),"
        + "\(candidate.tripletWidth.map { "\($0)" } ?? ""),\(candidate.heldOut),\(result.chosen.contains(candidate) ? 1 : 0)\n"
    }
    try FileIO.write(Array(text.utf8), to: path)
  }

  private static func summarise(
    _ member: Member, _ trajectory: Trajectory, _ configuration: TrainingConfiguration, elapsed: Double
  ) {
    let result = member.fit
    let names = trajectory.typeNames
    var lines = result.chosen.map { "chosen: \(describe($0))" }
    lines.append("pair term's held-out objective at σ → 0: \(thousandths(result.heldOutObjective)) for a frame")
    if let triplets = result.triplets {
      lines.append("triplets: \(triplets.basis.count) functions up to \(thousandths(triplets.basis.rMax)) Å")
    }
    if let trainer = member.trainer {
      lines.append(
        "network's held-out objective at σ = \(trainer.runSigma) Å: \(thousandths(trainer.bestHeldOut)) for an atom, "
          + "from step \(trainer.bestStep) of \(trainer.step)")
    }
    switch member.refinement {
    case .notWanted: break
    case .impossible: lines.append("refinement by likelihood: left out, as it needs the same atoms in all frames")
    case .foundNothing:
      lines.append(
        "refinement by likelihood: the frames' own uncertainty explains all differences; nothing was changed")
    case .corrected(let steps): lines.append("refined by likelihood in \(steps) steps")
    }
    for a in names.indices {
      for b in a..<names.count {
        let p = TypePairs.index(a, b, typeCount: names.count)
        let (seen, wall) = (result.smallestDistances[p], result.wallDistances[p])
        let outlier = seen + 0.05 < wall ? "; wall at \(thousandths(wall)) Å, past a gap in the data" : ""
        let distance = seen.isFinite ? "\(thousandths(seen)) Å" : "never met"
        lines.append("smallest \(names[a])-\(names[b]) distance: \(distance)\(outlier)")
      }
    }
    lines.append("\(trajectory.frames.count) frames, \(thousandths(elapsed)) s; wrote \(configuration.output)")
    for line in lines { Ranks.one.say(line) }
  }
}
