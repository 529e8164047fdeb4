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
        name: "--set", value: "KEY=VALUE", summary: "Set any key of the configuration: refinement.steps=0.",
        repeats: true
      ),
      .init(
        name: "--members", value: "N",
        summary: "Train an ensemble of N, whose spread shows how uncertain forces are (default 1: none)."),
      .init(name: "--network", summary: "Train a network on what pairs and triplets leave, with the defaults below."),
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
        output: FILE           the weight file; FILE.fit.csv lists the settings compared for pairs and triplets, and
                               FILE.network.csv and FILE.refinement.csv are the courses of network and refinement
        objective: KIND        denoising, forces or mixed [denoising]; forces that cannot be those of the configurations, in eV/Å at
                               this temperature, are refused
        seed: N                [1]
        threads: N             [all cores]
        members: N             of an ensemble: the first is what a training without the others gives; the others learn
                               from frames resampled in pieces of time, with other seeds; their tables begin with
                               FILE.memberK [1]
        blocks: N              blocks of time for cross-validation [5]
        pair:                  functions of pairs
          r_max: Å             cutoff [12, half the cell, or as far as 150 neighbours, whichever is least]
          spacing: Å           between knots of the splines [0.1]
        triplets:              three-body functions beside those of pairs, or false for none
          r_max: Å             cutoff [3.1 times the smallest distance of the frames, at most the pair term's]
          intervals: N         knot intervals of the splines up to there [12, 8, 5, 4 with 1, 2, 3, more types]
          l_max: N             highest Legendre polynomial of angles, 0 to 3 [3 with one type, else 2]
        refinement:            at the end, with triplets or a network: all parameters are changed until short runs of
                               the potential have the structure of the frames (minimum of the relative entropy); or
                               false for none
          steps: N             0 for none [300]
        network:               a network for what pairs and triplets leave; without this section, none
          features: N          of each degree on an atom [16]
          layers: N            interaction layers [3]
          l_max: N             highest degree, 0 to 3 [2]
          r_max: Å             cutoff [5]
          num_basis: N         Bessel functions [8]
          radial_layers: N     hidden layers of the radial network [2]
          radial_width: N      and their width [32]
          sigma: [Å, …]        noise levels of the ladder; run at the smallest [0.01, 0.02, 0.04]
          sigma_order: N       how weights depend on the level: powers of its logarithm, including the constant [2]
          steps: N             of the optimiser at most [2000]
          batch_size: N        frames for each step [1]
          learning_rate: X     of Adam; it falls to 0 as half a cosine [0.01]
          ema: X               decay of the weights' moving average [0.998]
          validation_interval: N  steps between validations on the last block of time [50]
          patience: N          steps without a better validation before stopping early; 0 for never [1000]
          refinement_rate: X   of Adam in the refinement [0.002]
      """)

  static func run(_ arguments: Arguments, on ranks: Ranks) throws {
    var configuration = try TrainingConfiguration(.training(arguments, verb: "diffnnp train", ranks))
    configuration.fit.ranks = ranks
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
    // Everything that may be refused is checked before the work begins, and before any file changes.
    let trajectory = try configuration.trainingFrames(of: all)
    for number in 1...(resumes ? configuration.members : 1) {
      try StepwiseStage.check(
        configuration.configuration(ofMember: number), frames(ofMember: number, configuration, trajectory),
        resumes: resumes)
    }
    if resumes { StepwiseStage.reportMissingCheckpoint(configuration, ranks) }

    let first = try train(1, configuration, trajectory, resumes: resumes)
    var settings = configuration
    settings.fit.pairs.rMax = first.fit.functions[0].rMax
    let others = try (2..<configuration.members + 1).map {
      try train($0, settings, trajectory, resumes: resumes)
    }
    let elapsed = monotonicSeconds() - start
    let learned = try potential(first, others, trajectory, configuration)
    try all.frames.check()
    guard ranks.isFirst else { return }
    try learned.save(path: configuration.output)
    for number in 1...configuration.members {
      unlink(StepwiseStage.checkpointPath(configuration.configuration(ofMember: number).output))
    }
    for line in first.summary(trajectory.typeNames) { Ranks.one.say(line) }
    Ranks.one.say("\(trajectory.frames.count) frames, \(thousandths(elapsed)) s; wrote \(configuration.output)")
  }

  /// - Throws: where forces are needed, and the file seems to have them under another name.
  private static func checkForces(_ trajectory: Trajectory, _ configuration: TrainingConfiguration) throws {
    guard configuration.fit.objective.usesForces, let name = trajectory.report.likelyForces.first else { return }
    throw DiffNNPError(
      "\(configuration.frames): no forces, which objective \(configuration.fit.objective.rawValue) needs; \(name) "
        + "looks like them: read it with --forces-name \(name)")
  }

  /// One training.
  /// - Parameter number: of the member of an ensemble, from 1.
  private static func train(
    _ number: Int, _ ensemble: TrainingConfiguration, _ all: Trajectory, resumes: Bool
  ) throws -> TrainedPotential {
    let configuration = ensemble.configuration(ofMember: number)
    let trajectory = try frames(ofMember: number, ensemble, all)
    let name = ensemble.members > 1 ? "member \(number) of \(ensemble.members): " : ""
    var linearFit = try LinearFit(configuration.fit, temperature: configuration.temperature)
    let ranks = configuration.fit.ranks
    linearFit.progress = { ranks.say("\(name)\($0)") }
    let fit = try naming(configuration.frames) { try linearFit.run(trajectory) }
    return try TrainedPotential(fit, configuration, trajectory, resumes: resumes)
  }

  /// The frames that a member learns from: all of them for the first, a resampled trajectory for the others.
  private static func frames(
    ofMember number: Int, _ ensemble: TrainingConfiguration, _ all: Trajectory
  ) throws -> Trajectory {
    if number == 1 { return all }
    let settings = ensemble.configuration(ofMember: number).fit
    return try all.resampled(blockCount: settings.blockCount, seed: settings.seed)
  }

  private static func potential(
    _ first: TrainedPotential, _ others: [TrainedPotential], _ trajectory: Trajectory,
    _ configuration: TrainingConfiguration
  ) throws -> Potential {
    let energyScale = boltzmannConstant * configuration.temperature
    let terms = try first.terms()
    return try Potential(
      typeNames: trajectory.typeNames, energyScale: energyScale, terms: terms,
      grade: ExtrapolationGrade(
        of: trajectory, terms: terms, threads: configuration.fit.threads, ranks: configuration.fit.ranks),
      others: others.map {
        try Potential(typeNames: trajectory.typeNames, energyScale: energyScale, terms: $0.terms())
      },
      metadata: first.metadata(trajectory, configuration))
  }

  /// The weight file and all that is written beside it.
  private static func outputs(_ configuration: TrainingConfiguration) -> [String] {
    [configuration.output]
      + (1...configuration.members).flatMap { number in
        let member = configuration.configuration(ofMember: number)
        return [TrainedPotential.candidatesPath(member.output)] + StepwiseStage.outputs(member)
      }
  }
}
