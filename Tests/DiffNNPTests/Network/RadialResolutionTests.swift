import Testing

@testable import DiffNNP
@testable import DiffNNPFrames

/// How finely radial networks are tabulated, and what that does to forces. All in double precision, so that the tables are
/// the only difference.
@Suite struct RadialResolutionTests {
  /// The default architecture with random weights, atoms as close as in a liquid.
  static let defaultArchitecture = NetworkArchitecture(
    typeNames: ["A", "B"], rMax: 5, numLayers: 3, lMax: 2, numFeatures: 16, invariantLayers: 2, invariantNeurons: 32,
    avgNumNeighbors: 17)

  private func randomNetwork(_ architecture: NetworkArchitecture) throws -> Network {
    var random = SplitMix(seed: 3)
    return try Network(
      architecture, parameters: TrainableNetwork.randomParameters(architecture, readout: 1, using: &random))
  }

  private func liquid() throws -> Configuration {
    var random = SplitMix(seed: 4)
    var positions: [SIMD3<Double>] = []
    while positions.count < 30 {
      let x = 4.5 * random.vector()
      if positions.allSatisfy({ length($0 - x) > 2.2 }) { positions.append(x) }
    }
    return Configuration(
      cell: try Cell(orthogonal: [9, 9, 9], periodic: [false, false, false]), positions: positions,
      types: positions.indices.map { $0 % 2 })
  }

  private func radialNetworks(_ network: Network) -> [RadialNetwork<Dual<Double>>] {
    network.plan.layers.indices.map { layer in
      network.parameters.withUnsafeBufferPointer {
        RadialNetwork(network.plan, layer: layer, parameters: $0.baseAddress!)
      }
    }
  }

  /// The largest difference between forces by the chosen tables and those by the radial networks (eV/Å), and the
  /// largest force.
  private func forceError(_ network: Network, _ configuration: Configuration) throws -> (error: Double, size: Double) {
    let edges = EdgeList()
    try NeighbourSearch().fill(edges, configuration, cutoff: network.architecture.rMax)
    let (plan, parameters) = (network.plan, network.parameters)
    return RadialTrial(plan, parameters: parameters, edges).forceError(
      intervals: RadialResolution.intervals(plan, parameters: parameters, energyScale: 1))
  }

  private func expectExactForces(_ folder: String) throws {
    let network = try Network(nequip: SafetensorsFile(path: folder + "/weights.safetensors"))
    let frames = try Trajectory.read(
      path: folder + "/reference.npz", .init(species: network.architecture.typeNames)
    ).frames
    for frame in frames {
      let (error, size) = try forceError(network, frame.configuration)
      #expect(error < RadialResolution.forceTolerance && error < RadialResolution.tolerance * size)
    }
  }

  @Test(arguments: NequIPReferenceTests.randomModels)
  func forcesOfRandomModelsStay(_ folder: String) throws { try expectExactForces(folder) }

  @Test(.enabled(if: fileExists(publishedModel), "the published LiCl model is not beside the checkout"))
  func forcesOfThePublishedModelStay() throws { try expectExactForces(publishedModel) }

  @Test func forcesOfTheDefaultArchitectureStay() throws {
    let (error, size) = try forceError(randomNetwork(Self.defaultArchitecture), liquid())
    #expect(error < RadialResolution.tolerance * size)
  }

  /// The trial's atoms have neighbours, feel forces, and ask for more where energies are larger.
  @Test func trialBoundsForces() throws {
    let network = try randomNetwork(Self.defaultArchitecture)
    let (plan, parameters) = (network.plan, network.parameters)
    let trial = RadialTrial(plan, parameters: parameters)
    for energyScale in [1e-3, 1, 1e3] {
      let intervals = RadialResolution.intervals(plan, parameters: parameters, energyScale: energyScale)
      let (error, size) = trial.forceError(intervals: intervals)
      #expect(size > 0.01)
      #expect(energyScale * error <= RadialResolution.forceTolerance * max(1, energyScale * size))
    }
    #expect(trial.forceError(intervals: 64).error > 10 * trial.forceError(intervals: 256).error)
  }

  /// With a fifth less, some table would be too coarse.
  @Test func thereAreNoMoreIntervalsThanNeeded() throws {
    let network = try randomNetwork(Self.defaultArchitecture)
    let radial = radialNetworks(network)
    let intervals = RadialResolution.intervals(network.plan, parameters: network.parameters)
    #expect(intervals > RadialResolution.fewestIntervals && intervals < RadialResolution.mostIntervals)
    func isEnough(_ intervals: Int) -> Bool {
      radial.allSatisfy { RadialResolution.error($0, intervals: intervals) <= RadialResolution.tableTolerance }
    }
    #expect(isEnough(intervals) && !isEnough(intervals * 4 / 5))
  }

  /// Slopes of cubic splines, which decide, are of third order.
  @Test func errorFallsWithTheCubeOfTheSpacing() throws {
    let radial = try radialNetworks(randomNetwork(Self.defaultArchitecture))[1]
    let ratio = RadialResolution.error(radial, intervals: 256) / RadialResolution.error(radial, intervals: 512)
    #expect(ratio > 6.5 && ratio < 9.5)
  }
}
