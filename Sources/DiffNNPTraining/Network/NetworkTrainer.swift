import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// Trains a network on what a pair term leaves of the score, by denoising over a ladder of noise levels with antithetic
/// noise; early stopping on the held-out objective at the smallest level, over the last block of time.
public final class NetworkTrainer {
  /// What a step, and now and then a validation, gave.
  public struct Report: Sendable {
    public var step: Int
    public var sigma: Double
    /// Objective for an atom, of this step's configurations.
    public var loss: Double
    /// Held-out objective for an atom at the smallest noise level, of the averaged parameters; nil between validations.
    public var heldOut: Double?
    public var learningRate: Double
  }

  public let settings: NetworkSettings
  public let architecture: NetworkArchitecture
  /// The smallest held-out objective so far.
  public private(set) var bestHeldOut = Double.infinity
  public private(set) var bestStep = 0
  public var step: Int { optimiser.step }

  private let frames: [Frame]
  private let trainingFrames: Range<Int>
  private let heldOutFrames: Range<Int>
  private let network: TrainableNetwork
  private let pairs: [Double: PairTerm]
  private let typeNames: [String]
  private let threads: Int
  private var parameters: ConditionedParameters
  private var optimiser: Adam
  private var best: [Double]
  private var gradients: [TrainableNetwork.Gradient] = []

  /// - Parameter pair: the fit whose pair terms the network adds to; nil for a network alone.
  public init(
    _ settings: NetworkSettings, pair: PairFit.Result?, trajectory: Trajectory, blocks: TimeBlocks, threads: Int
  ) throws {
    try settings.validate()
    self.settings = settings
    self.threads = threads
    frames = trajectory.frames
    typeNames = trajectory.typeNames
    heldOutFrames = blocks.ranges.last!
    trainingFrames = 0..<heldOutFrames.lowerBound
    architecture = try Self.architecture(settings, trajectory)
    network = try TrainableNetwork(architecture)
    pairs = try Dictionary(uniqueKeysWithValues: settings.sigmas.map { ($0, try pair?.pairTerm(sigma: $0)) })
      .compactMapValues { $0 }
    var random = Philox(seed: settings.seed, purpose: .network, frame: 0)
    parameters = ConditionedParameters(
      parameters: try TrainableNetwork.randomParameters(architecture, readout: 0.1, using: &random),
      sigmas: settings.sigmas, order: settings.sigmaOrder)
    optimiser = Adam(parameters.values)
    best = parameters.values
  }

  private static func architecture(_ settings: NetworkSettings, _ trajectory: Trajectory) throws -> NetworkArchitecture
  {
    let (edges, search) = (EdgeList(), NeighbourSearch())
    var (edgeCount, atomCount) = (0, 0)
    for k in stride(from: 0, to: trajectory.frames.count, by: max(1, trajectory.frames.count / 10)) {
      try search.fill(edges, trajectory.frames[k].configuration, cutoff: settings.rMax)
      edgeCount += edges.count
      atomCount += edges.centreCount
    }
    return NetworkArchitecture(
      typeNames: trajectory.typeNames, rMax: settings.rMax, numLayers: settings.layers, lMax: settings.lMax,
      numFeatures: settings.features, numBasis: settings.basisCount, invariantLayers: settings.radialLayers,
      invariantNeurons: settings.radialWidth, avgNumNeighbors: max(1, Double(edgeCount) / Double(atomCount)))
  }

  // MARK: Steps

  public var isFinished: Bool {
    step >= settings.steps || (settings.patience > 0 && step - bestStep > settings.patience)
  }

  /// One step of the optimiser, and a validation when it is due.
  public func advance() throws -> Report {
    let sigma = sigma(ofStep: step)
    network.set(parameters.parameters(sigma: sigma))
    let items = try trainingItems(step: step, sigma: sigma)
    while gradients.count < items.count { gradients.append(network.makeGradient()) }
    let weight = levelWeight(sigma) / Double(items.count)
    let losses = try evaluate(items, weight: weight, gradients: gradients)
    let gradient = parameters.pullBack(network.parameterGradient(Array(gradients[..<items.count])), sigma: sigma)
    let rate = learningRate(step)
    optimiser.update(&parameters.values, gradient: gradient, learningRate: rate, averaging: settings.averaging)
    var report = Report(
      step: step, sigma: sigma, loss: losses.reduce(0, +) / Double(losses.count), heldOut: nil, learningRate: rate)
    if step % settings.validationInterval == 0 || step == settings.steps { report.heldOut = try validate() }
    return report
  }

  /// Levels in turn, in an order that visits all within a few steps.
  private func sigma(ofStep step: Int) -> Double {
    let sigmas = settings.sigmas
    return sigmas[(step * 7 + step / sigmas.count) % sigmas.count]
  }

  /// Levels weigh in proportion to τ where the objective's noise, 1/τ, dominates; equally below the smallest τ's reach.
  private func levelWeight(_ sigma: Double) -> Double { 1 }

  /// A short rise, then half a cosine down to nothing.
  private func learningRate(_ step: Int) -> Double {
    let rise = min(1, Double(step + 1) / 50)
    return settings.learningRate * rise * 0.5 * (1 + cos(Double.pi * Double(step) / Double(settings.steps)))
  }

  /// Frames of one step, each with both signs of its noise.
  private func trainingItems(step: Int, sigma: Double) throws -> [ScoreObjective.Item] {
    (0..<settings.batchSize).flatMap { k -> [ScoreObjective.Item] in
      let draw = step * settings.batchSize + k
      let frame = frames[trainingFrames.lowerBound + order(draw)]
      return signs(frame, sigma, Philox(seed: settings.seed, purpose: .network, frame: draw, stream: 1))
    }
  }

  /// Epoch by epoch, each in a random order of its own.
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

  private func signs(_ frame: Frame, _ sigma: Double, _ generator: Philox) -> [ScoreObjective.Item] {
    var random = generator
    let noise = frame.positions.map { _ in random.normal3() }
    return [1, -1].map { ScoreObjective.Item(frame: frame, noise: noise, sign: $0, sigma: sigma) }
  }

  private func evaluate(
    _ items: [ScoreObjective.Item], weight: Double = 1, gradients: [TrainableNetwork.Gradient]?
  ) throws -> [Double] {
    let workers = WorkerPool { [network] in ScoreObjective(network) }
    let pair = items.first.flatMap { pairs[$0.sigma] }
    return try Parallel.map(items.count, threads: threads) { k in
      let worker = workers.take()
      defer { workers.give(worker) }
      let evaluator = try pair.map {
        Evaluator(try Potential(typeNames: self.typeNames, energyScale: 1, pair: $0, network: nil))
      }
      return try worker.evaluate(items[k], pair: evaluator, weight: weight, gradient: gradients?[k])
    }
  }

  // MARK: Validation and results

  private func validate() throws -> Double {
    let sigma = settings.sigmas.min()!
    var averaged = parameters
    averaged.values = optimiser.average
    network.set(averaged.parameters(sigma: sigma))
    let stride = max(1, heldOutFrames.count * frames[heldOutFrames.lowerBound].positions.count / 20_000)
    let items = Swift.stride(from: heldOutFrames.lowerBound, to: heldOutFrames.upperBound, by: stride).flatMap {
      signs(frames[$0], sigma, Philox(seed: settings.seed, purpose: .network, frame: $0, stream: 3))
    }
    let heldOut = try evaluate(items, gradients: nil).reduce(0, +) / Double(items.count)
    if heldOut < bestHeldOut {
      (bestHeldOut, bestStep, best) = (heldOut, step, optimiser.average)
    }
    return heldOut
  }

  /// The network to be run: that of the best validation, at the smallest noise level.
  public func result() throws -> Network {
    var chosen = parameters
    chosen.values = best
    return try Network(architecture, parameters: chosen.parameters(sigma: settings.sigmas.min()!))
  }
}

/// Hands out one object to each thread that asks, making more as needed.
private final class WorkerPool<Worker>: @unchecked Sendable {
  private var idle: [Worker] = []
  private let make: () -> Worker
  private var lock = pthread_mutex_t()

  init(_ make: @escaping () -> Worker) {
    self.make = make
    pthread_mutex_init(&lock, nil)
  }

  deinit { pthread_mutex_destroy(&lock) }

  func take() -> Worker {
    pthread_mutex_lock(&lock)
    defer { pthread_mutex_unlock(&lock) }
    return idle.popLast() ?? make()
  }

  func give(_ worker: Worker) {
    pthread_mutex_lock(&lock)
    idle.append(worker)
    pthread_mutex_unlock(&lock)
  }
}
