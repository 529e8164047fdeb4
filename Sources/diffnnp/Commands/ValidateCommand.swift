import DiffNNP
import DiffNNPAnalysis
import DiffNNPCommandLine
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// `diffnnp validate MODEL FRAMES`.
enum ValidateCommand: Command {
  static let syntax = Syntax(
    name: "validate", summary: "Run a model in LAMMPS, and compare its structure with that of frames.",
    operands: "MODEL FRAMES", operandCount: 2...2,
    options: [
      .init(name: "--output", short: "-o", value: "DIR", summary: "Directory of all files, validation by default."),
      .init(name: "--ps", value: "TIME", summary: "Length of each run (ps), 1000 by default."),
      .init(name: "--steps", value: "N", summary: "Length of each run in steps, instead of --ps."),
      .init(name: "--timestep", value: "FS", summary: "Timestep (fs), 4 by default."),
      .init(name: "--temperature", value: "K", summary: "Temperature (K); that of the training by default."),
      .init(name: "--damping", value: "TIME", summary: "Damping time of the Langevin thermostat (ps), 0.5 by default."),
      .init(name: "--interval", value: "TIME", summary: "Time between the frames of a run (ps), 1 by default."),
      .init(name: "--discard", value: "TIME", summary: "Leave out the beginning of each run (ps), 5 % by default."),
      .init(name: "--runs", value: "N", summary: "Independent runs from different frames, 1 by default."),
      .init(name: "--lattice", summary: "One run more, from a lattice of atoms in random order."),
      .init(name: "--seed", value: "N", summary: "Seed of velocities and thermostat, 1 by default."),
      .init(name: "--mass", value: "NAME=M", summary: "Mass of a type (g/mol); elements know theirs.", repeats: true),
      .init(name: "--reference", value: "CSV", summary: "Compare with the g(r) in this table too."),
      .init(name: "--rmax", value: "R", summary: "Largest distance compared (Å), 10 by default."),
      .init(name: "--dr", value: "WIDTH", summary: "Width of a bin of g(r) (Å), 0.05 by default."),
      .init(
        name: "--angles", value: "R",
        summary: "Angles between neighbours closer than R (Å); the first minimum of g(r) by default."),
      .init(name: "--launcher", value: "PATH", summary: "LAMMPS with pair_style diffnnp; lmp-diffnnp by default."),
      .init(name: "--record", value: "NAME=X", summary: "Put a number into report.json as it is.", repeats: true),
      .init(name: "--json", summary: "Print the report as JSON."),
    ] + TrajectoryOptions.options,
    details: """
      Writes LAMMPS input and data files, runs them (as many at once as there are processors), and writes report.html,
      report.json and rdf.csv into the directory. Runs are Langevin dynamics in the cell of the frame they start from.
      With --reference, rdf_mae and rdf_floor of report.json are the differences of runs and of FRAMES from that table;
      without, they are the difference of runs from FRAMES, and what sampling is expected to leave in FRAMES.
      The extrapolation grade of an atom says how far its surroundings are outside the data the model was trained on: less
      than 1 inside, 1 at the edge. largest_grade is that of all atoms of a run's frames, graded_outside the fraction of
      them above 1.
      """)

  static func run(_ arguments: Arguments) throws {
    let (modelPath, framesPath) = (arguments.operands[0], arguments.operands[1])
    let selection = try TrajectoryOptions.selection(arguments)
    try InputFile.check([modelPath, framesPath] + arguments.all("--reference"))
    let potential = try Potential.load(path: modelPath)
    try OutputFile.checkDirectory(directory(arguments))
    let settings = try settings(arguments, potential, modelPath)
    let records = try records(arguments)
    let frames = try Trajectory.read(path: framesPath, selection, for: Self.self)
    try frames.requireDifferentFrames(path: framesPath)
    let trajectory = try frames.mapped(to: potential, path: framesPath)
    let reference = try arguments.text("--reference").map {
      try RadialDistribution(csv: $0, typeNames: potential.typeNames)
    }
    let context = ValidationContext(
      model: modelPath, frames: framesPath, records: records, training: try TrainingRecord(potential, path: modelPath))
    let validation = try Validation(settings, trajectory: trajectory, reference: reference) {
      fputs("\($0)\n", stderr)
    }
    try validation.writeReport(context)
    if arguments.flag("--json") {
      print(try validation.json(context).serialised(pretty: true))
    } else {
      print((try validation.verdict() + ["Report: \(settings.directory)/report.html"]).joined(separator: "\n"))
    }
  }

  private static func directory(_ arguments: Arguments) -> String { arguments.text("--output") ?? "validation" }

  private static func settings(
    _ arguments: Arguments, _ potential: Potential, _ modelPath: String
  ) throws -> Validation.Settings {
    guard let temperature = try arguments.number("--temperature") ?? potential.metadata.temperature else {
      throw UsageError("\(modelPath) does not say at which temperature it was trained; give --temperature K")
    }
    let types = potential.typeNames
    var settings = Validation.Settings(
      launcher: try LAMMPSLauncher.path(arguments),
      potential: try LAMMPSLauncher.potential(model: modelPath, typeNames: types),
      directory: directory(arguments), temperature: temperature,
      masses: try Masses.of(types, arguments))
    settings.timestep = try arguments.number("--timestep") ?? settings.timestep
    settings.damping = try arguments.number("--damping") ?? settings.damping
    settings.duration = try duration(arguments, settings.timestep) ?? settings.duration
    settings.interval = try arguments.number("--interval") ?? settings.interval
    settings.discarded = try arguments.number("--discard") ?? 0.05 * settings.duration
    settings.runs = try arguments.integer("--runs") ?? settings.runs
    settings.lattice = arguments.flag("--lattice")
    settings.seed = try arguments.integer("--seed") ?? settings.seed
    settings.rMax = try arguments.number("--rmax") ?? settings.rMax
    settings.binWidth = try arguments.number("--dr") ?? settings.binWidth
    settings.angleRadius = try arguments.number("--angles")
    settings.sigma = potential.metadata.sigma ?? 0
    settings.grade = potential.grade
    return settings
  }

  private static func duration(_ arguments: Arguments, _ timestep: Double) throws -> Double? {
    let time = try arguments.number("--ps")
    guard let steps = try arguments.integer("--steps") else { return time }
    guard time == nil else { throw UsageError("the length of a run is given twice, by --ps and --steps") }
    return Double(steps) * timestep / 1000
  }

  private static func records(_ arguments: Arguments) throws -> [(name: String, value: Double)] {
    let records = try arguments.all("--record").map { text in
      try assignment(text, "--record", example: "train_seconds=12.5")
    }
    if let twice = records.map(\.0).firstTwice {
      throw UsageError("--record names \(twice) twice; give each number a name of its own")
    }
    if let taken = records.map(\.0).first(where: Validation.names.contains) {
      throw UsageError("--record \(taken): the report says itself what \(taken) is; give the number another name")
    }
    return records.map { (name: $0.0, value: $0.1) }
  }
}
