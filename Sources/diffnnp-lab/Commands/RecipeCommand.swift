import DiffNNP
import DiffNNPAnalysis
import DiffNNPCommandLine
import DiffNNPFrames
import DiffNNPLab
import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// `diffnnp-lab train`.
enum RecipeCommand: Command {
  static let syntax = Syntax(
    program: "diffnnp-lab", name: "train",
    summary: "Learn a pair potential, and perhaps a network, from levels of noise.",
    operands: "RECIPE.yaml | FRAMES", operandCount: 1...1,
    options: [
      .init(name: "--output", short: "-o", value: "FILE", summary: "The weight file to write: model.safetensors."),
      .init(name: "--temperature", value: "KELVIN", summary: "Temperature of the frames."),
      .init(name: "--seed", value: "N", summary: "Seed of all random numbers (default 1)."),
      .init(
        name: "--threads", value: "N", summary: "Threads; the result does not depend on them (default: all cores)."),
      .init(name: "--set", value: "KEY=VALUE", summary: "Set any key of the recipe: noise.mode=fresh.", repeats: true),
      .init(name: "--network", summary: "Train a network on what the pair term leaves."),
      .init(
        name: "--resume",
        summary: "Continue an interrupted training from OUTPUT.checkpoint; where there is none, say so and start anew."),
    ] + TrajectoryOptions.options,
    details: """
      Ways to learn that RESULTS.md compares with diffnnp train, which is better than each: denoising at one noise level, as in
      the paper, or at a ladder of them. A recipe has the keys of diffnnp train for frames, temperature, output, seed, threads,
      blocks, pair and network (see diffnnp train --help), and

        noise:
          mode: NAME           ladder, fixed, copies, fresh, antithetic or variance-preserving [ladder]
          sigma: Å             one level; for the ladder a list from 0 on [0 … 0.4]
          copies: N            draws for each frame, for modes copies, antithetic (pairs) and variance-preserving

      The paper's recipe (Harcombe & Duignan, arXiv:2504.03187), a network at σ² = 0.07 Å² from ten draws of each frame:

        diffnnp-lab train frames.extxyz --temperature 300 -o model.safetensors --network \\
          --set noise.mode=copies --set noise.sigma=0.2645751 --set noise.copies=10 \\
          --set pair.r_max=10 --set network.r_max=10 --set network.layers=2 --set network.l_max=1
      """)

  static func run(_ arguments: Arguments) throws {
    let root = try ConfigurationSection(.training(arguments, verb: "diffnnp-lab train"))
    var configuration = try TrainingConfiguration(frames: root)
    configuration.fit.triplets = nil
    configuration.refinementSteps = 0
    let noise = try NoiseMode(root.section("noise"))
    try root.finish()
    if configuration.network != nil, case .ladder = noise {
      throw DiffNNPError("a network needs one noise level; give noise.mode and noise.sigma")
    }
    let resumes = arguments.flag("--resume")
    guard configuration.network != nil || !resumes else {
      throw UsageError("--resume continues a network, and none is asked for; leave it out")
    }
    let outputs =
      [configuration.output, TrainedPotential.candidatesPath(configuration.output)]
      + StepwiseStage.outputs(configuration)
    for output in outputs {
      try OutputFile.check(output, inputs: [configuration.frames, arguments.operands[0]])
    }
    let all = try Trajectory.read(path: configuration.frames, configuration.selection, for: Self.self)
    let trained = try train(configuration, noise, all, resumes: resumes)
    try all.frames.check()
    try trained.potential.save(path: configuration.output)
    unlink(StepwiseStage.checkpointPath(configuration.output))
    for line in trained.summary { Ranks.one.say(line) }
    Ranks.one.say("wrote \(configuration.output)")
  }

  private static func train(
    _ configuration: TrainingConfiguration, _ noise: NoiseMode, _ all: Trajectory, resumes: Bool
  ) throws -> (potential: Potential, summary: [String]) {
    let trajectory = try configuration.trainingFrames(of: all)
    try StepwiseStage.check(configuration, noise: noise.networkNoise, trajectory, resumes: resumes)
    if resumes { StepwiseStage.reportMissingCheckpoint(configuration, .one) }
    let fit = try naming(configuration.frames) {
      try NoiseFit(configuration.fit, noise, temperature: configuration.temperature).run(trajectory)
    }
    let trained = try TrainedPotential(
      fit, configuration, noise: noise.networkNoise, trajectory, resumes: resumes)
    let terms = try trained.terms()
    var metadata = trained.metadata(trajectory, configuration)
    metadata.provenance["noise levels (Å)"] = noise.sigmas.map { "\($0)" }.joined(separator: " ")
    let potential = try Potential(
      typeNames: trajectory.typeNames, energyScale: boltzmannConstant * configuration.temperature, terms: terms,
      grade: ExtrapolationGrade(of: trajectory, terms: terms, threads: configuration.fit.threads), metadata: metadata)
    return (potential, trained.summary(trajectory.typeNames))
  }
}
