import DiffNNP
import DiffNNPTraining

/// A potential to measure, and how dense its atoms stand.
struct BenchmarkModel {
  var name: String
  var potential: Potential
  /// Neighbours of an atom within the cutoff.
  var neighbours: Double

  /// Networks with random weights, which make no difference to speed.
  static func networks(neighbours: Double?) throws -> [BenchmarkModel] {
    try [published(neighbours ?? 12.5), water(neighbours ?? 17.5)]
  }

  /// The architecture of the LiCl model of timduignan/Scalable-Electrolyte-Simulation.
  private static func published(_ neighbours: Double) throws -> BenchmarkModel {
    var architecture = NetworkArchitecture(
      typeNames: ["Li", "Cl"], rMax: 10, numLayers: 2, lMax: 1, numFeatures: 8, invariantNeurons: 8,
      avgNumNeighbors: 11.88)
    architecture.features = try Irreps("8x0e+8x1e")
    architecture.edgeHarmonics = try Irreps("1x0e+1x1e")
    return try random("published", architecture, neighbours)
  }

  /// What training makes of water, one bead for each molecule, with default settings.
  private static func water(_ neighbours: Double) throws -> BenchmarkModel {
    let settings = NetworkSettings()
    let architecture = NetworkArchitecture(
      typeNames: ["O"], rMax: settings.rMax, numLayers: settings.layers, lMax: settings.lMax,
      numFeatures: settings.features, numBasis: settings.basisCount, invariantLayers: settings.radialLayers,
      invariantNeurons: settings.radialWidth, avgNumNeighbors: neighbours)
    return try random("water", architecture, neighbours)
  }

  private static func random(
    _ name: String, _ architecture: NetworkArchitecture, _ neighbours: Double
  ) throws -> BenchmarkModel {
    var random = Philox(seed: 1, purpose: .network, frame: 0)
    let parameters = try TrainableNetwork.randomParameters(architecture, readout: 1, using: &random)
    let potential = try Potential(
      typeNames: architecture.typeNames, energyScale: 1, pair: nil,
      network: Network(architecture, parameters: parameters))
    return BenchmarkModel(name: name, potential: potential, neighbours: neighbours)
  }
}
