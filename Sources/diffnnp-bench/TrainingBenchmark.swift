import DiffNNP
import DiffNNPTraining

/// Speed of training by denoising with antithetic noise, one frame a step, on one thread.
struct TrainingBenchmark {
  struct Result {
    var model: String
    var atoms: Int
    var framesPerSecond: Quartiles
  }

  private static let atoms = 48
  /// Noise (Å).
  private static let sigma = 0.05
  private static let learningRate = 1e-6

  private let name: String
  private let network: TrainableNetwork
  private let parameters: [Double]
  private let items: [ScoreObjective.Item]

  /// A benchmark of a model's network; nil where there is none to train.
  init?(_ model: BenchmarkModel) throws {
    guard let architecture = model.potential.term(Network.self)?.architecture else { return nil }
    name = model.name
    network = try TrainableNetwork(architecture)
    var random = Philox(seed: 1, purpose: .network, frame: 1)
    parameters = try TrainableNetwork.randomParameters(architecture, readout: 0.1, using: &random)
    let frame = try Configuration.sample(
      atoms: Self.atoms, neighbours: model.neighbours, cutoff: architecture.rMax,
      typeCount: architecture.typeNames.count)
    let epsilon = frame.positions.map { _ in random.normal3() }
    items = [1.0, -1].map { sign in
      var noised = frame
      for i in epsilon.indices { noised.positions[i] += sign * Self.sigma * epsilon[i] }
      return ScoreObjective.Item(configuration: noised, target: epsilon.map { -sign / Self.sigma * $0 })
    }
  }

  func run(_ stopwatch: Stopwatch) throws -> Result {
    let objective = ScoreObjective(network)
    let gradients = items.map { _ in network.makeGradient() }
    var parameters = parameters
    let times = try stopwatch.measure {
      network.set(parameters)
      for (item, gradient) in zip(items, gradients) {
        _ = try objective.evaluate(item, weight: 1 / Double(items.count), gradient: gradient)
      }
      let gradient = network.parameterGradient(gradients)
      for k in parameters.indices { parameters[k] -= Self.learningRate * gradient[k] }
    }
    return Result(model: name, atoms: Self.atoms, framesPerSecond: Quartiles(times.map { 1 / $0 }))
  }
}
