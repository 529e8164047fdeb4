import DiffNNP
import DiffNNPTraining

/// A potential to measure, and the density of its atoms.
struct BenchmarkModel {
  var name: String
  var potential: Potential
  /// Number of neighbours of an atom within the cutoff.
  var neighbours: Double

  static let names = ["licl", "liquid", "published", "water", "large"]

  /// A potential of `names` with random weights, which make no difference to speed, or one from a file.
  init(_ name: String, neighbours: Double?) throws {
    switch name {
    case "licl": self = try Self.licl(neighbours ?? 21.5)
    case "liquid": self = try Self.liquid(neighbours ?? 147)
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

  /// The potential that training with default settings gives for LiCl: pairs up to 12 Å, and triplets.
  private static func licl(_ neighbours: Double) throws -> BenchmarkModel {
    let triplets = try TripletBasis(typeCount: 2, rMax: 6.5, intervals: 8, first: 2, lMax: 2)
    return try random("licl", ["Li", "Cl"], pairsUpTo: 12, triplets, neighbours)
  }

  /// The potential that training gives for water, one bead per molecule, without a network.
  private static func liquid(_ neighbours: Double) throws -> BenchmarkModel {
    let floor = try DistanceFloor(typeCount: 1, distances: [2.43], width: 0.3)
    let triplets = try TripletBasis(typeCount: 1, rMax: 7.53, intervals: 12, first: 3, lMax: 3, floor: floor)
    return try random("liquid", ["O"], pairsUpTo: 10.2, triplets, neighbours)
  }

  /// Pairs with ten coefficients for each Å, and triplets.
  private static func random(
    _ name: String, _ typeNames: [String], pairsUpTo rMax: Double, _ triplets: TripletBasis, _ neighbours: Double
  ) throws -> BenchmarkModel {
    var random = Philox(seed: 1, purpose: .network, frame: 0)
    let (types, intervals) = (typeNames.count, Int(10 * rMax))
    let free = (0..<TypePairs.count(types) * intervals).map { _ in random.uniform() }
    let potential = try Potential(
      typeNames: typeNames, energyScale: 1,
      terms: [
        PairTerm(typeCount: types, rMax: rMax, intervals: intervals, free: free),
        TripletTerm(triplets, coefficients: (0..<triplets.count).map { _ in random.uniform() }),
      ])
    return BenchmarkModel(name: name, potential: potential, neighbours: neighbours)
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

  /// The network that training gives for water, one bead per molecule, with default settings except the number of
  /// features.
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
      typeNames: architecture.typeNames, energyScale: 1, terms: [Network(architecture, parameters: parameters)])
    return BenchmarkModel(name: name, potential: potential, neighbours: neighbours)
  }
}
