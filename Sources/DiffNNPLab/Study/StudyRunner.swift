import DiffNNP
import DiffNNPAnalysis
import DiffNNPCommandLine
import DiffNNPFrames
import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// Trains, runs and measures what a study asks for, one training after the other; each uses all processors.
package struct StudyRunner {
  /// The study.
  package let study: Study
  /// LAMMPS with the pair style; nil where nothing is run.
  package let launcher: String?
  /// The verb whose name begins warnings about files.
  package let verb: any Command.Type
  private var systems: [String: LoadedSystem] = [:]

  /// The data of one system, which all its trainings use.
  private struct LoadedSystem {
    let trajectory: Trajectory
    let comparison: StructureComparison
    let test: Trajectory?
    let masses: [Double]
  }

  /// - Parameters:
  ///   - launcher: LAMMPS with the pair style; nil where nothing is run.
  ///   - verb: the verb whose name begins warnings about files.
  package init(_ study: Study, launcher: String?, for verb: any Command.Type) {
    self.study = study
    self.launcher = launcher
    self.verb = verb
  }

  /// Path of the record of a training.
  package func recordPath(_ key: StudyRecord.Key) -> String { "\(study.results)/runs/\(key.name).json" }

  /// Records of the finished trainings whose settings are still those of the study.
  package func records() throws -> [StudyRecord] { try study.jobs.compactMap(record) }

  /// The record of a training; nil where there is none, or it is out of date.
  package func record(_ job: StudyJob) throws -> StudyRecord? {
    let path = recordPath(job.key)
    guard access(path, R_OK) == 0 else { return nil }
    let record = try StudyRecord(path: path)
    return record.settings == (try settings(job)) ? record : nil
  }

  /// Everything that a result depends on but the program itself, in one line.
  func settings(_ job: StudyJob) throws -> String {
    let source: String
    switch job.row.source {
    case .training(let file), .recipe(let file), .program(let file): source = try Self.fingerprint(FileIO.read(file))
    case .frames: source = "frames"
    }
    let system = study.system(job.trial.system)
    let equilibration = system.equilibration > 0 ? "after \(system.equilibration) ps " : ""
    let (cells, density) = (job.trial.cells, job.trial.density)
    let options = job.row.pairStyle.map { "pair_style \($0) " } ?? ""
    let cellChange = cells == 1 && density == 1 ? "" : "in \(cells) cells at density \(density) "
    return
      "\(source) \(options)\(cellChange)\(study.isQuick ? "quick " : "")place \(job.relativeStart) T \(system.temperature) "
      + (job.row.source == .frames ? "" : "\(job.trial.duration) ps at \(system.timestep) fs \(equilibration)")
      + "angles \(system.angleRadius) shells \(system.shells.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })"
  }

  /// Hash of a file's lines without comments.
  private static func fingerprint(_ bytes: [UInt8]) -> String {
    var fingerprint = Fingerprint()
    for line in bytes.split(separator: UInt8(ascii: "\n")) where line.first != UInt8(ascii: "#") {
      fingerprint.add(line)
    }
    return String(fingerprint.value, radix: 16)
  }

  // MARK: One training

  /// Trains, runs, measures, and writes the record.
  package mutating func run(_ job: StudyJob) throws -> StudyRecord {
    let system = try load(job.trial.system)
    let available = system.trajectory.frames.count
    guard job.key.frameCount <= available else {
      throw DiffNNPError(
        "\(job.key.name): \(study.system(job.trial.system).frames) has \(available) frames; ask for fewer")
    }
    let (start, stop, step) = job.slice(of: available)
    let trajectory = Trajectory(
      typeNames: system.trajectory.typeNames,
      frames: system.trajectory.frames.at(stride(from: start, to: stop, by: step)))
    let directory = "\(study.work)/\(job.key.name)"
    var record = StudyRecord(
      key: job.key, settings: try settings(job), measures: [], distribution: nil, angles: nil, failure: nil)
    if job.row.source == .frames {
      try add([trajectory], system, to: &record)
    } else {
      try makeDirectory(directory)
      let began = monotonicSeconds()
      let potential = try potential(job, trajectory, slice: "\(start):\(stop):\(step)", directory)
      record.measures.append(Measure("train_seconds", monotonicSeconds() - began))
      if let test = system.test, let error = try potential.model.map({ try Self.forceError($0, test) }) {
        record.measures.append(Measure("force_error", error))
      }
      try simulate(
        potential.commands, sigma: potential.model?.metadata.sigma ?? 0, job, trajectory, system, directory,
        into: &record)
    }
    let text = record.json.serialised() + "\n"
    try makeDirectory("\(study.results)/runs/\(job.key.system)")
    try FileIO.write(text.utf8, to: recordPath(job.key))
    return record
  }

  private func add(_ runs: [Trajectory], _ system: LoadedSystem, to record: inout StudyRecord) throws {
    let structure = try StructureMeasures(runs, system.comparison)
    record.measures += structure.measures
    (record.distribution, record.angles) = (structure.distribution, structure.angles)
  }

  /// The commands that make LAMMPS use the learned potential, and the model where it is one of ours.
  private func potential(
    _ job: StudyJob, _ trajectory: Trajectory, slice: String, _ directory: String
  ) throws -> (commands: [String], model: Potential?) {
    let system = study.system(job.trial.system)
    switch job.row.source {
    case .training(let configuration), .recipe(let configuration):
      let model = "\(directory)/model.safetensors"
      var arguments = [
        "train", configuration, "--set", "frames='\(system.frames)'", "--frames", slice, "-o", model, "--temperature",
        "\(system.temperature)", "--seed", "\(job.key.replica)",
      ]
      if study.isQuick {
        if case .training = job.row.source { arguments += ["--set", "refinement.steps=2"] }
        let keys = try YAMLNode.load(path: configuration).mapping?.map(\.key) ?? []
        if keys.contains("network") { arguments += ["--set", "network.steps=10"] }
      }
      if let species = system.species { arguments += ["--select", species.joined(separator: ",")] }
      let trainer = try Self.trainer(of: job.row.source)!
      try Self.check(try Subprocess(trainer, arguments).run(), "training of \(job.key.name)")
      let commands = try LAMMPSLauncher.potential(
        model: model, typeNames: trajectory.typeNames, options: job.row.pairStyle)
      return (commands, try Potential.load(path: model))
    case .program(let program):
      let frames = "\(directory)/frames.extxyz"
      let writer = try ExtendedXYZWriter(path: frames)
      for frame in trajectory.frames { try writer.write(frame, typeNames: trajectory.typeNames) }
      try writer.commit()
      let arguments = [try absolutePath(frames), "\(system.temperature)", try absolutePath(directory)]
      try Self.check(try Subprocess(absolutePath(program), arguments).run(), "\(program) for \(job.key.name)")
      let text = String(decoding: try FileIO.read("\(directory)/potential.lmp"), as: UTF8.self)
      return (text.split(separator: "\n").map(String.init), nil)
    case .frames: preconditionFailure("frames have no potential")
    }
  }

  private func simulate(
    _ commands: [String], sigma: Double, _ job: StudyJob, _ trajectory: Trajectory, _ system: LoadedSystem,
    _ directory: String,
    into record: inout StudyRecord
  ) throws {
    guard let launcher else { preconditionFailure("without LAMMPS nothing is run") }
    var settings = Validation.Settings(
      launcher: launcher, potential: commands, directory: directory,
      temperature: study.system(job.trial.system).temperature, masses: system.masses)
    settings.duration = job.trial.duration
    settings.timestep = study.system(job.trial.system).timestep
    // At least half of a short trial run is left to be measured.
    settings.discarded = min(
      max(0.05 * settings.duration, study.system(job.trial.system).equilibration), 0.5 * settings.duration)
    settings.interval = min(1, settings.duration / 100)
    settings.lattice = true
    settings.sigma = sigma
    settings.seed = job.key.replica
    let validation: Validation
    let changesCell = job.trial.density != 1 || job.trial.cells != 1
    let starts =
      changesCell
      ? Trajectory(
        typeNames: trajectory.typeNames,
        frames: try trajectory.frames.map { try $0.compressed(job.trial.density).replicated(job.trial.cells) })
      : trajectory
    do { validation = try Validation(settings, trajectory: starts) } catch {
      record.failure = "\(error)"
      record.measures.append(Measure("stable_ps", 0))
      return
    }
    record.failure = validation.runs.compactMap(\.failure).first
    record.measures.append(Measure("stable_ps", validation.stableTime))
    record.measures.append(Measure("md_ns", validation.runs.reduce(0) { $0 + $1.stableTime } / 1000))
    let runs = validation.runs.map(\.frames).filter { !$0.frames.isEmpty }
    if !runs.isEmpty { try add(runs, system, to: &record) }
    // The trajectories are large, and the record has all that is needed of them.
    for k in validation.runs.indices { unlink("\(directory)/run-\(k + 1)/\(LAMMPSSimulation.dumpName)") }
  }

  /// Root mean square error of the forces over their root mean square.
  private static func forceError(_ potential: Potential, _ test: Trajectory) throws -> Double {
    let calculator = Calculator(potential)
    var error = ForceError()
    for frame in test.frames {
      guard let forces = frame.forces else { throw DiffNNPError("test frame \(frame.number) has no forces") }
      error.add(try calculator.compute(frame.configuration).forces, given: forces)
    }
    return error.relative
  }

  // MARK: Systems

  private mutating func load(_ name: String) throws -> LoadedSystem {
    if let system = systems[name] { return system }
    let system = study.system(name)
    var selection = TrajectorySelection(species: system.species)
    selection.leavesOutRepeats = true
    let trajectory = try Trajectory.read(path: system.frames, selection, for: verb)
    try trajectory.requireDifferentFrames(path: system.frames)
    let types = trajectory.typeNames
    let masses =
      try system.masses
      ?? types.map { type in
        guard let mass = atomicMass(of: type) else {
          throw DiffNNPError("system \(name): \(type) is no element; give masses")
        }
        return mass
      }
    guard masses.count == types.count else {
      throw DiffNNPError("system \(name): \(masses.count) masses for the types \(types.joined(separator: " "))")
    }
    let loaded = LoadedSystem(
      trajectory: trajectory,
      comparison: StructureComparison(
        reference: try RadialDistribution(csv: system.reference, typeNames: types),
        angleReference: try system.angleReference.map { try AngleDistribution(csv: $0, typeNames: types) },
        angleRadius: system.angleRadius, shells: system.shells, hasTetrahedralOrder: system.hasTetrahedralOrder),
      test: try system.test.map { try Trajectory.read(path: $0, selection, for: verb) }, masses: masses)
    systems[name] = loaded
    return loaded
  }

  // MARK: Programs

  private static func check(_ result: Subprocess.Result, _ what: String) throws {
    guard result.status != 0 else { return }
    let reason = result.error.split(separator: "\n").last { !$0.allSatisfy(\.isWhitespace) } ?? "it gave no reason"
    throw DiffNNPError("\(what) failed with status \(result.status): \(reason)")
  }

  /// Path of the program whose verb `train` learns the potentials of a source: `diffnnp` in the folder of this program
  /// or, for recipes, this program itself, even where its file has been renamed since. Nil for sources that are not
  /// trained.
  /// - Throws: where `diffnnp` is not there.
  package static func trainer(of source: Study.Source) throws -> String? {
    switch source {
    case .recipe: return "/proc/\(getpid())/exe"
    case .training:
      guard let path = Subprocess.besideThisProgram("diffnnp") else {
        throw DiffNNPError(
          "diffnnp is not beside this program, and trains what a study asks for; put both into one directory, as make does"
        )
      }
      return path
    case .program, .frames: return nil
    }
  }
}
