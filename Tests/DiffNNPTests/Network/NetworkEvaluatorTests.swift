import Testing

@testable import DiffNNP

@Suite struct NetworkEvaluatorTests {
  @Test(arguments: SamplePotential.networks)
  func agreesWithPlainLoops(_ sample: SamplePotential) throws {
    let network = try #require(sample.potential.network)
    let configuration = try SampleConfiguration.periodic()
    let edges = EdgeList()
    try NeighbourSearch().fill(edges, configuration, cutoff: 3)
    let scale = sample.potential.energyScale
    let expected = network.referenceEnergies(edges).map { scale * $0 }
    let size = expected.map(abs).max()!
    let double = try Evaluator(sample.potential, precision: .double).evaluate(configuration).atomEnergies
    for (a, b) in zip(double, expected) { #expect(abs(a - b) < 1e-13 * size) }
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
}
