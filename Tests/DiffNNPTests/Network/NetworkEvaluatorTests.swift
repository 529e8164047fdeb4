import Testing

@testable import DiffNNP

@Suite struct NetworkEvaluatorTests {
  /// Also where an atom has more edges than a batch.
  @Test(arguments: SamplePotential.networks, [1, 0.55])
  func agreesWithPlainLoops(_ sample: SamplePotential, _ scale: Double) throws {
    let network = try #require(sample.potential.term(Network.self))
    var configuration = try SampleConfiguration.periodic()
    configuration.cell = try Cell(
      vectors: configuration.cell.vectors.map { scale * $0 }, periodic: configuration.cell.periodic)
    configuration.positions = configuration.positions.map { scale * $0 }
    let edges = EdgeList()
    try NeighbourSearch().fill(edges, configuration, cutoff: 3)
    #expect((edges.count > EdgeBatch<SIMD4<Double>>.capacity * edges.centreCount) == (scale < 1))
    let energyScale = sample.potential.energyScale
    let expected = network.referenceEnergies(edges).map { energyScale * $0 }
    let size = expected.map(abs).max()!
    let double = try Evaluator(sample.potential, precision: .double).evaluate(configuration).atomEnergies
    let tolerance = scale < 1 ? 1e-12 : 1e-13
    for (a, b) in zip(double, expected) { #expect(abs(a - b) < tolerance * size) }
  }

  /// Functions that overflow on the way must not lose the derivative.
  @Test(arguments: [-1e4, -200, -90, -1, 0, 1, 90, 200, 1e4])
  func activationsStayFinite(_ x: Double) {
    for f in [Activation.silu, .tanh, .ssp] {
      let dual = f.value(Dual(Float(x), 1))
      #expect(dual.value.isFinite && dual.tangent.isFinite)
      #expect(abs(dual.tangent - f.slope(Float(x))) < 1e-5)
      #expect(f.slope(Dual(Float(x), 1)).tangent.isFinite)
    }
  }

  @Test(arguments: [Activation.silu, .tanh, .ssp, .abs])
  func slopesAreDerivatives(_ f: Activation) {
    for x in [-3.0, -0.4, 0.7, 35] {
      #expect(abs((f.value(x + 1e-6) - f.value(x - 1e-6)) / 2e-6 - f.slope(x)) < 1e-8)
    }
  }

  /// Buffers follow the system, whatever was computed before: energies and forces in blocks, gradients of weights at once.
  @Test(arguments: [Precision.single, .double])
  func whatWasComputedBeforeDoesNotMatter(_ precision: Precision) throws {
    let network = try #require(SamplePotential.networks[0].potential.term(Network.self))
    let trainable = try TrainableNetwork(network.architecture, precision: precision)
    trainable.set(network.parameters)
    let worker = trainable.makeWorker()
    for edge in [2, 5, 1, 4] {
      let edges = EdgeList()
      try NeighbourSearch().fill(edges, .solid(edge), cutoff: network.architecture.rMax)
      let n = edges.atomCount
      func results(_ worker: TrainableNetwork.Worker) -> [[Double]] {
        var forces = [SIMD3<Double>](repeating: .zero, count: n)
        let gradient = trainable.makeGradient()
        let energy = worker.addForces(edges, to: &forces)
        worker.differentiateEnergy(edges, weight: 1, into: gradient)
        let plain = trainable.parameterGradient([gradient])
        worker.differentiate(edges, directions: forces, into: gradient)
        return [[energy], forces.flatMap { [$0.x, $0.y, $0.z] }, plain, trainable.parameterGradient([gradient])]
      }
      #expect(results(worker) == results(trainable.makeWorker()))
    }
  }
}
