import Testing

@testable import DiffNNP

/// Derivatives of losses of forces against central differences, in double precision.
@Suite struct TrainableNetworkTests {
  static let architectures: [NetworkArchitecture] = {
    var even = NetworkArchitecture(
      typeNames: ["A", "B"], rMax: 3, numLayers: 3, lMax: 2, numFeatures: 5, invariantNeurons: 6, avgNumNeighbors: 10)
    even.features = try! Irreps("5x0e+5x1e+3x2e")
    even.edgeHarmonics = try! Irreps("1x0e+1x1e+1x2e")
    let natural = NetworkArchitecture(
      typeNames: ["A"], rMax: 3, numLayers: 2, lMax: 3, numFeatures: 4, invariantNeurons: 5, avgNumNeighbors: 10)
    var uneven = natural
    uneven.features = try! Irreps("5x0e+3x1o+2x2e")
    var floored = natural
    floored.floor = try! DistanceFloor(typeCount: 1, distances: [2], width: 0.8)
    return [even, natural, uneven, floored]
  }()

  private func sampleSystem(_ architecture: NetworkArchitecture) throws -> (Configuration, [SIMD3<Double>]) {
    var configuration = try SampleConfiguration.periodic()
    for i in configuration.types.indices { configuration.types[i] %= architecture.typeNames.count }
    var random = SplitMix(seed: 7)
    return (configuration, configuration.positions.map { _ in random.vector() })
  }

  private func edges(_ configuration: Configuration, _ architecture: NetworkArchitecture) throws -> EdgeList {
    let edges = EdgeList()
    try NeighbourSearch().fill(edges, configuration, cutoff: architecture.rMax)
    return edges
  }

  /// The coarse tables are the model, so that derivatives are exact for them too.
  private func network(
    _ architecture: NetworkArchitecture, _ precision: Precision = .double
  ) throws -> (TrainableNetwork, parameters: [Double]) {
    var random = SplitMix(seed: 3)
    let parameters = try TrainableNetwork.randomParameters(architecture, readout: 1, using: &random)
    let network = try TrainableNetwork(architecture, precision: precision, tableSpacing: 0.2)
    network.set(parameters)
    return (network, parameters)
  }

  /// A seed gives the same network with every version, to the rounding of logarithm and cosine.
  @Test func randomParametersAreThoseOfEveryVersion() throws {
    let architecture = NetworkArchitecture(
      typeNames: ["A"], rMax: 3, numLayers: 2, lMax: 1, numFeatures: 4, invariantNeurons: 5, avgNumNeighbors: 10)
    var random = SplitMix(seed: 3)
    let parameters = try TrainableNetwork.randomParameters(architecture, readout: 1, using: &random)
    #expect(parameters.count == 547)
    for (found, value) in zip(
      parameters, [0.4403090611515458, 0.16677943134655127, 1.6155086524390745, 0.5840747320525347])
    { #expect(abs(found - value) < 1e-14) }
  }

  /// Of every tensor, the parameter that matters most and one at random.
  @Test(arguments: architectures.indices)
  func parameterGradientIsThatOfForces(_ index: Int) throws {
    let architecture = Self.architectures[index]
    let (configuration, directions) = try sampleSystem(architecture)
    let edges = try edges(configuration, architecture)
    let (network, parameters) = try network(architecture)
    let worker = network.makeWorker()
    let buffer = network.makeGradient()
    worker.differentiate(edges, directions: directions, into: buffer)
    let gradient = network.parameterGradient([buffer])

    func projectedForce(_ k: Int, _ step: Double) -> Double {
      var moved = parameters
      moved[k] += step
      network.set(moved)
      var forces = [SIMD3<Double>](repeating: .zero, count: directions.count)
      _ = worker.addForces(edges, to: &forces)
      return zip(forces, directions).reduce(0) { $0 + dot($1.0, $1.1) }
    }
    let plan = try NetworkPlan(architecture)
    let size = gradient.map { $0 * $0 }.reduce(0, +).squareRoot()
    var random = SplitMix(seed: 4)
    for tensor in plan.tensors where ![plan.scaleBy, plan.shifts].contains(tensor.offset) {
      let range = tensor.offset..<tensor.offset + tensor.count
      let largest = range.max { abs(gradient[$0]) < abs(gradient[$1]) }!
      for k in [largest, .random(in: range, using: &random)] {
        let numerical = (projectedForce(k, 1e-5) - projectedForce(k, -1e-5)) / 2e-5
        #expect(abs(-gradient[k] - numerical) < 1e-7 * size, "\(tensor.name), parameter \(k)")
      }
    }
  }

  @Test(arguments: architectures.indices)
  func singlePrecisionFollows(_ index: Int) throws {
    let architecture = Self.architectures[index]
    let (configuration, directions) = try sampleSystem(architecture)
    let edges = try edges(configuration, architecture)
    func gradient(_ precision: Precision) throws -> [Double] {
      let (network, _) = try network(architecture, precision)
      let buffer = network.makeGradient()
      network.makeWorker().differentiate(edges, directions: directions, into: buffer)
      return network.parameterGradient([buffer])
    }
    let (exact, single) = (try gradient(.double), try gradient(.single))
    let size = exact.map { $0 * $0 }.reduce(0, +).squareRoot()
    for (a, b) in zip(single, exact) { #expect(abs(a - b) < 1e-5 * size) }
  }

  @Test(arguments: architectures.indices)
  func hessianProductIsThatOfForces(_ index: Int) throws {
    let architecture = Self.architectures[index]
    let (configuration, directions) = try sampleSystem(architecture)
    let (network, _) = try network(architecture)
    let worker = network.makeWorker()
    func forces(_ step: Double) throws -> [SIMD3<Double>] {
      var moved = configuration
      for i in directions.indices { moved.positions[i] += step * directions[i] }
      var forces = [SIMD3<Double>](repeating: .zero, count: directions.count)
      _ = worker.addForces(try edges(moved, architecture), to: &forces)
      return forces
    }
    var derivatives = [SIMD3<Double>](repeating: .zero, count: directions.count)
    worker.addForceDerivatives(try edges(configuration, architecture), directions: directions, to: &derivatives)
    let (up, down) = (try forces(1e-5), try forces(-1e-5))
    let size = derivatives.map(length).max()!
    for i in directions.indices { #expect(length((up[i] - down[i]) / 2e-5 - derivatives[i]) < 1e-6 * size) }
  }
}
