import DiffNNP
import DiffNNPTraining

/// A potential to measure, and how dense its atoms stand.
struct BenchmarkModel {
  var name: String
  var potential: Potential
  /// Neighbours of an atom within the cutoff.
  var neighbours: Double

  static let names = ["licl", "published", "water", "large"]

  /// A potential of `names` with random weights, which make no difference to speed, or one from a file.
  init(_ name: String, neighbours: Double?) throws {
    switch name {
    case "licl": self = try Self.licl(neighbours ?? 21.5)
    case "published": self = try Self.published(neighbours ?? 12.5)
    case "water": self = try Self.water(name, neighbours ?? 17.5, features: NetworkSettings().features)
    case "large": self = try Self.water(name, neighbours ?? 17.5, features: 32)
    default: self.init(name: name, potential: try .load(path: name), neighbours: neighbours ?? 12.5)
    }
  }

  private init(name: String, potential: Potential, neighbours: Double) {
    self.name = name
    self.potential = potential
    self.neighbours = neighbours
  }

  /// What training makes of LiCl with default settings: pairs up to 12 Å, and triplets.
  private static func licl(_ neighbours: Double) throws -> BenchmarkModel {
    var random = Philox(seed: 1, purpose: .network, frame: 0)
    let basis = try TripletBasis(typeCount: 2, rMax: 6.5, intervals: 8, first: 2, lMax: 2)
    let potential = try Potential(
      typeNames: ["Li", "Cl"], energyScale: 1,
      pair: PairTerm(typeCount: 2, rMax: 12, intervals: 120, free: (0..<360).map { _ in random.uniform() }),
      triplets: TripletTerm(basis, coefficients: (0..<basis.count).map { _ in random.uniform() }), network: nil)
    return BenchmarkModel(name: "licl", potential: potential, neighbours: neighbours)
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

  /// What training makes of water, one bead for each molecule, with default settings but the number of features.
  private static func water(_ name: String, _ neighbours: Double, features: Int) throws -> BenchmarkModel {
    let settings = NetworkSettings()
    let architecture = NetworkArchitecture(
      typeNames: ["O"], rMax: settings.rMax, numLayers: settings.layers, lMax: settings.lMax,
      numFeatures: features, numBasis: settings.basisCount, invariantLayers: settings.radialLayers,
      invariantNeurons: settings.radialWidth, avgNumNeighbors: neighbours)
    return try random(name, architecture, neighbours)
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
