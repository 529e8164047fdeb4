import DiffNNPCommandLine
import Glibc

@testable import DiffNNP
@testable import DiffNNPFrames
@testable import DiffNNPTraining

/// A reader that is given files made up by libFuzzer. Whatever the file, it ends in an error of one line, or in something
/// that can be used: a trap, a wrong access to memory, a long wait, or a large allocation is a find.
enum Target: String, CaseIterable {
  case weights, trajectory, configuration, checkpoint

  /// The one that the environment's DIFFNNP_FUZZ names.
  static let chosen: Target = {
    let name = getenv("DIFFNNP_FUZZ").map { String(cString: $0) } ?? ""
    guard let target = Target(rawValue: name) else {
      fatalError("set DIFFNNP_FUZZ to one of \(allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return target
  }()

  func run(_ bytes: [UInt8]) throws {
    switch self {
    case .weights: try Self.useWeights(bytes)
    case .trajectory: try Self.readFrames(bytes)
    case .configuration: try Self.readConfiguration(bytes)
    case .checkpoint: try Self.resume(bytes)
    }
  }

  // MARK: Weight files

  /// Loads a weight file, with its checksum set right: behind a wrong one, nothing would be tried. What loads is run.
  private static func useWeights(_ bytes: [UInt8]) throws {
    var file = try SafetensorsFile(bytes: bytes)
    if file.metadata["checksum"] != nil { file.metadata["checksum"] = WeightFile.checksum(file) }
    let potential = try WeightFile.decode(file.serialised())
    _ = try WeightFile.encode(potential)
    guard potential.rMax < 20 else { return }
    let (edges, search) = (EdgeList(), NeighbourSearch())
    let types = [0, potential.typeNames.count - 1]
    try search.fill(
      edges, Configuration(cell: Cell(orthogonal: [30, 30, 30]), positions: [.zero, [1.5, 1, 0.5]], types: types),
      cutoff: potential.rMax)
    for member in potential.members {
      var grades = [0.0, 0.0]
      _ = Evaluator(member).compute(edges, into: .init(atomGrades: &grades))
    }
  }

  // MARK: Trajectories

  /// A file in memory that nobody else sees.
  private static let memory: Int32 = {
    var name = Array("/dev/shm/diffnnp-fuzz-XXXXXX".utf8CString)
    let descriptor = mkstemp(&name)
    unlink(name)
    return descriptor
  }()

  private static func readFrames(_ bytes: [UInt8]) throws {
    guard ftruncate(memory, 0) == 0, pwrite(memory, bytes, bytes.count, 0) == bytes.count else {
      fatalError("no memory for the input")
    }
    let path = "/proc/self/fd/\(memory)"
    var selection = TrajectorySelection(species: ["Li"], typeNames: ["Li", "Cl"], start: -1)
    defer {
      _ = try? Trajectory.read(path: path, selection)
      (selection.start, selection.leavesOutRepeats, selection.forcesName) = (0, true, "REF_forces")
      selection.units = try? FileUnits(names: ["real"])
      _ = try? Trajectory.read(path: path, selection)
    }
    let trajectory = try Trajectory.read(path: path)
    for frame in trajectory.frames {
      precondition(
        frame.types.count == frame.positions.count && frame.forces?.count ?? frame.types.count == frame.types.count)
      precondition(frame.types.allSatisfy(trajectory.typeNames.indices.contains))
    }
  }

  // MARK: Configurations

  private static func readConfiguration(_ bytes: [UInt8]) throws {
    let node = try YAMLNode(parsing: bytes, name: "c.yaml")
    let configuration = try TrainingConfiguration(node)
    try configuration.network?.validate()
    _ = try LinearFit(configuration.fit, temperature: configuration.temperature)
  }

  // MARK: Checkpoints

  /// A training of a few atoms, and what its checkpoints are named by.
  private static let training: (trajectory: Trajectory, settings: NetworkSettings, identity: String) = {
    let frames = (0..<5).map { k in
      Frame(
        cell: try! Cell(orthogonal: [6, 6, 6]), positions: [.zero, [2 + 0.1 * Double(k), 0, 0], [0, 2.5, 1]],
        types: [0, 0, 0])
    }
    var settings = NetworkSettings()
    (settings.features, settings.layers, settings.lMax, settings.radialWidth) = (1, 1, 0, 1)
    (settings.basisCount, settings.rMax) = (1, 2.9)
    let trajectory = Trajectory(typeNames: ["A"], frames: frames)
    return (trajectory, settings, try! trainer(trajectory, settings).checkpoint().metadata["identity"]!)
  }()

  /// Steps of the refinement.
  private static let steps = 3

  private static func trainer(_ trajectory: Trajectory, _ settings: NetworkSettings) throws -> NetworkTrainer {
    var pair = FitSettings()
    pair.threads = 1
    return try NetworkTrainer(settings, nil, pair, trajectory: trajectory, temperature: 300)
  }

  /// Continues from a checkpoint, as if it were of the training above, by a step.
  private static func resume(_ bytes: [UInt8]) throws {
    let (trajectory, settings, identity) = training
    var file = try SafetensorsFile(bytes: bytes)
    if file.metadata["identity"] != nil { file.metadata["identity"] = identity }
    let trainer = try trainer(trajectory, settings)
    try trainer.resume(from: file)
    if !trainer.isFinished { _ = try trainer.advance() }
    let refinement = try refinement(trainer)
    var own = SafetensorsFile(metadata: [:], tensors: [])
    refinement.addCheckpoint(to: &own)
    let key = "refinement.identity"
    if file.metadata[key] != nil { file.metadata[key] = own.metadata[key] }
    guard try LikelihoodRefinement.isCheckpoint(file, steps: steps, settings) else { return }
    try refinement.resume(from: file)
    if !refinement.isFinished { _ = try refinement.advance() }
  }

  private static func refinement(_ trainer: NetworkTrainer) throws -> LikelihoodRefinement {
    let basis = PairBasis(typeCount: 1, rMax: 2.9, intervals: 4)
    var form = QuadraticForm(count: basis.count)
    for k in 0..<basis.count { form.matrix[k * basis.count + k] = 1 }
    var fit = LinearFit.Result(
      model: LinearModel([PairFeatures(basis: basis, wallDistances: [2])]), coefficients: [9, 5, 2, 0],
      blocks: try TimeBlocks(frameCount: 5, blockCount: 5), smallestDistances: [2], wallDistances: [2], candidates: [],
      chosen: [], heldOutObjective: 0)
    fit.minimum = LikelihoodMinimum(objective: form, others: QuadraticForm(count: basis.count), weight: 1)
    var effort = LikelihoodRefinement.Effort()
    (effort.chainAtoms, effort.chainCounts, effort.stride) = (6, 2...2, 2)
    (effort.measuringSteps, effort.settlingSteps) = (2, 1)
    return try LikelihoodRefinement(
      fit, trainer, trajectory: training.trajectory, steps: steps, seed: 1, threads: 1, effort)
  }
}
