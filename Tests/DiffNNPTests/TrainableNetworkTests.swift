import Testing

@testable import DiffNNP

/// Derivatives of losses of forces against central differences, in double precision.
@Suite struct TrainableNetworkTests {
  static let architectures: [NetworkArchitecture] = {
    var even = NetworkArchitecture(
      typeNames: ["A", "B"], rMax: 4, numLayers: 3, lMax: 2, numFeatures: 5, invariantNeurons: 6, avgNumNeighbors: 10)
    even.features = try! Irreps("5x0e+5x1e+3x2e")
    even.edgeHarmonics = try! Irreps("1x0e+1x1e+1x2e")
    let natural = NetworkArchitecture(
      typeNames: ["A"], rMax: 4, numLayers: 2, lMax: 3, numFeatures: 4, invariantNeurons: 5, avgNumNeighbors: 10)
    return [even, natural]
  }()

  private func system(_ types: Int) throws -> (edges: EdgeList, count: Int, directions: [SIMD3<Double>]) {
    var random = SplitMix(seed: 7)
    let cell = try Cell(vectors: [[6, 0, 0], [1, 6, 0], [0, 0.5, 7]])
    let positions = (0..<12).map { _ in cell.cartesian(.random(in: 0..<1, using: &random)) }
    let edges = EdgeList()
    try NeighbourSearch().fill(
      edges, Configuration(cell: cell, positions: positions, types: (0..<12).map { $0 % types }), cutoff: 4)
    return (edges, 12, positions.map { _ in .random(in: -1...1, using: &random) })
  }

  @Test(arguments: architectures.indices)
  func parameterGradientIsThatOfForces(_ index: Int) throws {
    let architecture = Self.architectures[index]
    let (edges, count, directions) = try system(architecture.typeNames.count)
    let network = try TrainableNetwork(architecture, precision: .double)
    var random = SplitMix(seed: 3)
    let parameters = try TrainableNetwork.randomParameters(architecture, readout: 1, using: &random)

    let worker = network.makeWorker()
    func projectedForce(_ parameters: [Double]) -> Double {
      network.set(parameters)
      var forces = [SIMD3<Double>](repeating: .zero, count: count)
      _ = worker.addForces(edges, to: &forces)
      return zip(forces, directions).reduce(0) { $0 + dot($1.0, $1.1) }
    }
    network.set(parameters)
    let buffer = network.makeGradient()
    worker.differentiate(edges, directions: directions, into: buffer)
    let gradient = network.parameterGradient([buffer])

    let plan = try NetworkPlan(architecture)
    let fixed = Set([plan.scaleBy] + architecture.typeNames.indices.map { plan.shifts + $0 })
    let size = gradient.map { $0 * $0 }.reduce(0, +).squareRoot()
    for k in stride(from: 0, to: parameters.count, by: max(1, parameters.count / 150)) where !fixed.contains(k) {
      let h = 1e-5
      var (up, down) = (parameters, parameters)
      up[k] += h
      down[k] -= h
      let numerical = (projectedForce(up) - projectedForce(down)) / (2 * h)
      #expect(abs(-gradient[k] - numerical) < 1e-6 * size, "parameter \(k)")
    }
  }

  @Test(arguments: architectures.indices)
  func hessianProductIsThatOfForces(_ index: Int) throws {
    let architecture = Self.architectures[index]
    var random = SplitMix(seed: 3)
    let parameters = try TrainableNetwork.randomParameters(architecture, readout: 1, using: &random)
    let network = try TrainableNetwork(architecture, precision: .double)
    network.set(parameters)
    let worker = network.makeWorker()
    let cell = try Cell(orthogonal: [6, 6, 7])
    let positions = (0..<12).map { _ in cell.cartesian(.random(in: 0..<1, using: &random)) }
    let directions = positions.map { _ in SIMD3<Double>.random(in: -1...1, using: &random) }
    func edges(_ step: Double) throws -> EdgeList {
      let edges = EdgeList()
      let moved = zip(positions, directions).map { $0 + step * $1 }
      let types = (0..<12).map { $0 % architecture.typeNames.count }
      try NeighbourSearch().fill(edges, Configuration(cell: cell, positions: moved, types: types), cutoff: 4)
      return edges
    }
    func forces(_ step: Double) throws -> [SIMD3<Double>] {
      var forces = [SIMD3<Double>](repeating: .zero, count: 12)
      _ = worker.addForces(try edges(step), to: &forces)
      return forces
    }
    var derivatives = [SIMD3<Double>](repeating: .zero, count: 12)
    worker.addForceDerivatives(try edges(0), directions: directions, to: &derivatives)
    let h = 1e-5
    let (up, down) = (try forces(h), try forces(-h))
    let size = derivatives.map(length).max()!
    for i in 0..<12 { #expect(length((up[i] - down[i]) / (2 * h) - derivatives[i]) < 1e-5 * size) }
  }
}

/// Reproducible random numbers for tests.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
