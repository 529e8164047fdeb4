import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// Trains a network on the part of the score that pairs and triplets leave, by denoising over a ladder of noise levels
/// with antithetic noise; stops early by the held-out objective at the smallest level, over the last block of time.
public final class NetworkTrainer {
  /// The outcome of a step and, now and then, of a validation.
  public struct Report: Sendable {
    /// Number of steps done, this one included.
    public var step: Int
    /// Noise level of the step (Å).
    public var sigma: Double
    /// Objective for an atom of the training configurations, the mean of all steps since the last validation.
    public var loss: Double
    /// Held-out objective for an atom at the smallest noise level, of the averaged parameters; nil between validations.
    public var heldOut: Double?
    /// Learning rate of the step.
    public var learningRate: Double
  }

  /// Settings of the network stage.
  public let settings: NetworkSettings
  /// Architecture of the network.
  public let architecture: NetworkArchitecture
  /// The smallest held-out objective so far: `bestHeldOut`, and its step: `bestStep`.
  public var bestHeldOut: Double { state.bestHeldOut }
  public var bestStep: Int { state.bestStep }
  /// Number of steps done.
  public var step: Int { state.optimiser.step }
  /// Noise levels (Å) of the training.
  public var sigmas: [Double] { items.sigmas }
  /// The noise level (Å) at which the network is run, the smallest; 0 for force labels.
  public var runSigma: Double { sigmas.min()! }

  private let items: TrainingItems
  private let trainingFrames: Range<Int>
  private let heldOutFrames: Range<Int>
  private let network: TrainableNetwork
  /// The potentials that the network is added to, in units of kT; none for a network alone.
  private let bases: [Potential]
  private let threads: Int
  private let ranks: Ranks
  private var state: TrainingState
  private var gradients: [TrainableNetwork.Gradient] = []
  private let workers: WorkerPool<ScoreObjective>

  /// A trainer at its first step.
  /// - Parameters:
  ///   - fit: the pairs and triplets that the network adds to, the same at all noise levels; nil for a network alone.
  ///   - fitSettings: objective, blocks of time, threads and processes.
  ///   - noise: nil for the levels of the settings, with antithetic draws.
  /// - Throws: where settings are not valid, there are too few frames, or forces are missing that the objective needs.
  public init(
    _ settings: NetworkSettings, _ fit: LinearFit.Result?, _ fitSettings: FitSettings, noise: NetworkNoise? = nil,
    trajectory: Trajectory, temperature: Double
  ) throws {
    try settings.validate()
    self.settings = settings
    (threads, ranks) = (fitSettings.threads, fitSettings.ranks)
    let blocks = try TimeBlocks(frameCount: trajectory.frames.count, blockCount: fitSettings.blockCount)
    heldOutFrames = blocks.ranges.last!
    trainingFrames = 0..<heldOutFrames.lowerBound
    items = try TrainingItems(
      frames: trajectory.frames, noise: noise ?? NetworkNoise(sigmas: settings.sigmas),
      objective: fitSettings.objective, thermalEnergy: boltzmannConstant * temperature, seed: settings.seed)
    var architecture = try Self.architecture(settings, trajectory)
    if let fit { architecture.floor = try fit.floor(within: settings.rMax) }
    self.architecture = architecture
    let network = try TrainableNetwork(architecture)
    self.network = network
    workers = WorkerPool { ScoreObjective(network) }
    bases = try fit?.potentials(trajectory.typeNames) ?? []
    var random = Philox(seed: settings.seed, purpose: .network, frame: 0)
    state = TrainingState(
      ConditionedParameters(
        parameters: try TrainableNetwork.randomParameters(architecture, readout: 0.1, using: &random),
        sigmas: items.sigmas, order: settings.sigmaOrder))
  }

  private static func architecture(_ settings: NetworkSettings, _ trajectory: Trajectory) throws -> NetworkArchitecture
  {
    let (edges, search) = (EdgeList(), NeighbourSearch())
    var (edgeCount, atomCount) = (0, 0)
    for k in stride(from: 0, to: trajectory.frames.count, by: max(1, trajectory.frames.count / 10)) {
      try search.fill(edges, trajectory.frames.frame(at: k).configuration, cutoff: settings.rMax)
      edgeCount += edges.count
      atomCount += edges.centreCount
    }
    return NetworkArchitecture(
      typeNames: trajectory.typeNames, rMax: settings.rMax, numLayers: settings.layers, lMax: settings.lMax,
      numFeatures: settings.features, numBasis: settings.basisCount, invariantLayers: settings.radialLayers,
      invariantNeurons: settings.radialWidth, avgNumNeighbors: max(1, Double(edgeCount) / Double(atomCount)))
  }

  // MARK: Steps

  /// Whether all steps are done, or none of the last `patience` steps gave a better validation.
  public var isFinished: Bool {
    step >= settings.steps || (settings.patience > 0 && step - bestStep > settings.patience)
  }

  /// One step of the optimiser, and a validation when it is due.
  /// - Throws: where the training diverges, a frame cannot be read, or another rank fails.
  public func advance() throws -> Report {
    let sigma = sigma(ofStep: step)
    network.set(state.parameters.parameters(sigma: sigma))
    let batch = try trainingBatch(step: step, sigma: sigma)
    while gradients.count < batch.count { gradients.append(network.makeGradient()) }
    let losses = try evaluate(batch, sigma: sigma, gradients: gradients)
    let gradient = try state.parameters.pullBack(
      network.parameterGradient(gradients[..<batch.count], over: ranks), sigma: sigma)
    guard gradient.allSatisfy(\.isFinite) else {
      throw DiffNNPError(
        "the network's training diverged at step \(step); lower network.learning_rate from \(settings.learningRate)")
    }
    let rate = learningRate(step)
    state.update(gradient: gradient, learningRate: rate, averaging: settings.averaging)
    state.losses += [losses.reduce(0, +) / Double(losses.count), 1]
    var report = Report(
      step: step, sigma: sigma, loss: state.losses.x / state.losses.y, heldOut: nil, learningRate: rate)
    if step % settings.validationInterval == 0 || step == settings.steps {
      report.heldOut = try validate()
      state.losses = .zero
    }
    return report
  }

  /// The levels in turn, each round starting with the next one.
  private func sigma(ofStep step: Int) -> Double {
    sigmas[(step + step / sigmas.count) % sigmas.count]
  }

  /// A short linear rise, then half a cosine down to zero.
  private func learningRate(_ step: Int) -> Double {
    let rise = min(1, Double(step + 1) / 50)
    return settings.learningRate * rise * 0.5 * (1 + cos(Double.pi * Double(step) / Double(settings.steps)))
  }

  private func trainingBatch(step: Int, sigma: Double) throws -> [ScoreObjective.Item] {
    try (0..<settings.batchSize).flatMap { k -> [ScoreObjective.Item] in
      let draw = step * settings.batchSize + k
      let frame = trainingFrames.lowerBound + order(draw)
      return try items.items(frame: frame, sigma: sigma, visit: draw / trainingFrames.count, stream: 1)
    }
  }

  /// The index of a draw's training frame: all frames in each epoch, in a random order of its own.
  private func order(_ draw: Int) -> Int {
    let n = trainingFrames.count
    let epoch = draw / n
    if shuffled?.epoch != epoch {
      var random = Philox(seed: settings.seed, purpose: .network, frame: epoch, stream: 2)
      shuffled = (epoch, Array(0..<n).shuffled(using: &random))
    }
    return shuffled!.order[draw % n]
  }

  private var shuffled: (epoch: Int, order: [Int])?

  private func evaluate(
    _ batch: [ScoreObjective.Item], sigma: Double, gradients: [TrainableNetwork.Gradient]?
  ) throws -> [Double] {
    let weight = 1 / Double(batch.count)
    return try ranks.map(batch.count, threads: threads) { k in
      let worker = workers.take()
      defer { workers.give(worker) }
      return try worker.evaluate(batch[k], bases: bases, weight: weight, gradient: gradients?[k])
    }
  }

  // MARK: Validation and results

  private func validate() throws -> Double {
    let sigma = runSigma
    network.set(parameters(state.optimiser.average))
    let atoms = heldOutFrames.reduce(0) { $0 + items.frames.atomCount(at: $1) }
    let batch = try stride(
      from: heldOutFrames.lowerBound, to: heldOutFrames.upperBound, by: max(1, atoms / Self.validationAtoms)
    ).flatMap { try items.items(frame: $0, sigma: sigma, visit: 0, stream: 3) }
    let heldOut = try evaluate(batch, sigma: sigma, gradients: nil).reduce(0, +) / Double(batch.count)
    if heldOut < bestHeldOut {
      (state.bestHeldOut, state.bestStep, state.best) = (heldOut, step, state.optimiser.average)
    }
    return heldOut
  }

  /// Number of held-out atoms in one validation, approximately.
  private static let validationAtoms = 10_000

  /// The network that is to be run: that of the best validation, at the smallest noise level.
  /// - Throws: where a parameter is not finite.
  public func result() throws -> Network { try Network(architecture, parameters: bestParameters) }

  /// Parameters of the best validation, at the smallest noise level.
  public var bestParameters: [Double] { parameters(state.best) }

  /// Parameters at the smallest noise level.
  private func parameters(_ values: [Double]) -> [Double] {
    var conditioned = state.parameters
    conditioned.values = values
    return conditioned.parameters(sigma: runSigma)
  }

  /// Everything that is needed to continue, as a file.
  public func checkpoint() -> SafetensorsFile { state.file(identity: identity) }

  /// Continues from a checkpoint.
  /// - Throws: where it belongs to another run.
  public func resume(from file: SafetensorsFile) throws { try state.restore(file, identity: identity) }

  /// Settings and frames in one line; without the number of threads, the refinement that follows the last step, and the
  /// pair term.
  private lazy var identity: String = {
    var architecture = architecture
    architecture.floor = .none
    let run = JSONValue.object([
      .init("network", settings.json), .init("noise", items.noise.json),
      .init("objective", .string(items.objective.rawValue)), .init("kT", .number(items.thermalEnergy)),
      .init("architecture", architecture.json), .init("frames", .string("\(items.frames.fingerprint.value)")),
    ])
    return run.serialised()
  }()
}

/// Hands out one object to each thread that asks, making more as needed.
private final class WorkerPool<Worker>: @unchecked Sendable {
  private var idle: [Worker] = []
  private let make: () -> Worker
  private let lock = Lock()

  init(_ make: @escaping () -> Worker) { self.make = make }

  func take() -> Worker { lock.locked { idle.popLast() } ?? make() }

  func give(_ worker: Worker) { lock.locked { idle.append(worker) } }
}
