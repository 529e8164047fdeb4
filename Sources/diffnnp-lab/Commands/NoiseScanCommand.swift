import DiffNNP
import DiffNNPAnalysis
import DiffNNPCommandLine
import DiffNNPFrames
import DiffNNPLab
import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// `diffnnp-lab noise-scan FRAMES`.
enum NoiseScanCommand: Command {
  static let syntax = Syntax(
    program: Program.lab.name, name: "noise-scan",
    summary: "Find out which noise level suits some frames, and what limits each.",
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
      noise on them. For each level, and for the pseudo-likelihood by which diffnnp train learns, a pair potential is fitted, and
      run in LAMMPS. Pairs alone: triplets and the refinement, which the likelihood has in diffnnp train and a noise level has
      not, are no part of the scan. The columns:

        objective  of denoising without noise, on the last fifth of the frames, with a potential fitted to the others; the level
                   with the smallest has the forces closest to those behind the frames (see diffnnp evaluate). It judges forces
                   alone: how much deeper one well is than another, which the likelihood learns, it hardly sees
        bias       mean |Δg| between the frames with noise and without, which no training with that level can avoid; at small
                   levels it is just the frames' statistical noise, which noise on them smooths; the likelihood has none
        learning   mean |Δg| between the run and the frames with noise: what went wrong otherwise
        total      mean |Δg| between the run and the frames
        sampling   what two samples of these lengths from the same potential would show
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
    var settings = FitSettings()
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
