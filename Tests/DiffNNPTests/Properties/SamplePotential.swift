import Testing

@testable import DiffNNP

/// A potential of three types that every property is tested on.
struct SamplePotential: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let potential: Potential
  /// Whether mirror images have one energy: features that change sign as their degree says, or no directions at all.
  let isMirrorSymmetric: Bool

  /// The pair term, triplets, networks of all kinds, and sums of terms with different cutoffs.
  static let all: [SamplePotential] = {
    let terms = [
      sample("pair", pair: pair), sample("triplets", triplets: triplets(lMax: 3)), sample("made up", madeUp: madeUp),
    ]
    let sums = [
      sample("pair + triplets", pair: pair, triplets: triplets(lMax: 2)),
      sample("pair + triplets, l up to 1", pair: pair, triplets: triplets(lMax: 1)),
      sample("pair + network", pair: pair, network: natural),
      sample("pair + triplets + network", pair: pair, triplets: triplets(lMax: 0), network: natural),
      sample("pair + network + made up", pair: pair, network: natural, madeUp: madeUp),
    ]
    return terms + networks + sums + floored
  }()

  /// Triplets and networks, beside a pair term, that see no distances below a floor.
  static let floored: [SamplePotential] = [
    sample("pair + triplets with a floor", pair: pair, triplets: triplets(lMax: 2, floor: floor)),
    sample("pair + network with a floor", pair: pair, network: flooredNetwork),
    sample(
      "one layer with a floor", pair: pair, network: architecture(layers: 1, lMax: 2, features: 4) { $0.floor = floor }),
  ]

  /// Of which the sample configurations have pairs above, on the way, and below.
  static let floor = try! DistanceFloor(typeCount: 3, distances: [1.6, 1.8, 1.3, 1.5, 2.2, 1.7], width: 0.5)

  static let networks: [SamplePotential] = [
    sample("natural parity", network: natural),
    sample("scalars, bare sum", network: bare),
    sample("one layer", network: oneLayer),
    sample("uneven multiplicities", network: uneven),
    sample("degree 3", network: degree3),
    sample("all even", network: allEven, isMirrorSymmetric: false),
    sample("both parities", network: bothParities),
    sample("sixteen features", network: sixteen),
  ]

  private static func sample(
    _ name: String, pair: PairTerm? = nil, triplets: TripletTerm? = nil,
    network architecture: NetworkArchitecture? = nil, madeUp: MadeUpTerm? = nil, isMirrorSymmetric: Bool = true
  ) -> SamplePotential {
    do {
      let network = try architecture.map { architecture -> Network in
        var random = SplitMix(seed: 5)
        var parameters = try TrainableNetwork.randomParameters(architecture, readout: 30, using: &random)
        let plan = try NetworkPlan(architecture)
        for type in 0..<3 {
          parameters[plan.scales + type] = 1 + 0.3 * Double(type)
          parameters[plan.shifts + type] = 0.5 - Double(type)
        }
        parameters[plan.scaleBy] = 0.7
        return try Network(architecture, parameters: parameters)
      }
      let potential = try Potential(
        typeNames: ["A", "B", "C"], energyScale: 0.6, terms: [pair, triplets, network, madeUp])
      return SamplePotential(testDescription: name, potential: potential, isMirrorSymmetric: isMirrorSymmetric)
    } catch {
      fatalError("\(name): \(error)")
    }
  }

  // MARK: Terms

  private static let pair: PairTerm = {
    var random = SplitMix(seed: 2)
    return try! PairTerm(
      typeCount: 3, rMax: 4, intervals: 8, free: (0..<48).map { _ in .random(in: -1...1, using: &random) })
  }()

  static let madeUp = MadeUpTerm(typeCount: 3, rMax: 3.8, strengths: [0.4, -0.3, 0.7])

  private static func triplets(lMax: Int, floor: DistanceFloor = .none) -> TripletTerm {
    var random = SplitMix(seed: 4)
    let basis = try! TripletBasis(typeCount: 3, rMax: 3.5, intervals: 6, first: 1, lMax: lMax, floor: floor)
    return try! TripletTerm(basis, coefficients: (0..<basis.count).map { _ in .random(in: -1...1, using: &random) })
  }

  private static func architecture(
    layers: Int, lMax: Int, features: Int, _ change: (inout NetworkArchitecture) -> Void = { _ in }
  ) -> NetworkArchitecture {
    var architecture = NetworkArchitecture(
      typeNames: ["A", "B", "C"], rMax: 3, numLayers: layers, lMax: lMax, numFeatures: features, numBasis: 4,
      invariantLayers: 1, invariantNeurons: 4, avgNumNeighbors: 3)
    change(&architecture)
    return architecture
  }

  private static let natural = architecture(layers: 2, lMax: 1, features: 4)
  private static let flooredNetwork = architecture(layers: 2, lMax: 1, features: 4) { $0.floor = floor }

  private static let bare = architecture(layers: 2, lMax: 0, features: 3) {
    $0.useSelfConnection = false
    $0.avgNumNeighbors = nil
  }

  private static let oneLayer = architecture(layers: 1, lMax: 2, features: 9) { $0.cutoffExponent = 4.5 }

  private static let uneven = architecture(layers: 2, lMax: 2, features: 1) {
    $0.chemicalEmbedding = try! Irreps("7x0e")
    $0.features = try! Irreps("5x0e+3x1o+2x2e")
    $0.outputHidden = try! Irreps("3x0e")
    $0.invariantLayers = 2
  }

  private static let degree3 = architecture(layers: 2, lMax: 3, features: 3) {
    $0.useSelfConnection = false
    $0.avgNumNeighbors = 1
  }

  /// Degrees without parity, as nequip has them with `parity: false`.
  private static let allEven = architecture(layers: 3, lMax: 1, features: 2) {
    $0.features = try! Irreps("3x0e+2x1e")
    $0.edgeHarmonics = try! Irreps("1x0e+1x1e")
    $0.nonlinearityScalars.even = "ssp"
  }

  private static let bothParities = architecture(layers: 3, lMax: 1, features: 2) {
    $0.features = try! Irreps("2x0o+3x0e+1x1o+2x1e")
    $0.nonlinearityGates = .init(even: "tanh", odd: "abs")
  }

  /// Features that fill the widest lanes.
  private static let sixteen = architecture(layers: 2, lMax: 2, features: 16)
}

/// Configurations that properties are tested on.
enum SampleConfiguration {
  /// Six atoms of three types within reach of each other, near the origin, no two closer than 0.9 Å.
  static func cluster(seed: UInt64 = 1, at origin: SIMD3<Double> = .zero) throws -> Configuration {
    Configuration(
      cell: try Cell(orthogonal: [1000, 1000, 1000], periodic: [false, false, false]),
      positions: positions(6, seed) { 2 * $0 }.map { origin + $0 }, types: [0, 1, 2, 1, 0, 2])
  }

  static let cells: [(vectors: [SIMD3<Double>], periodic: [Bool])] = [
    ([[4.5, 0, 0], [0.9, 4.2, 0], [-0.7, 0.6, 4.8]], [true, true, true]),
    ([[4.4, 0.3, 0.2], [-0.5, 4.6, 0.1], [0.3, 0.4, 5]], [true, false, true]),
    ([[6, 0, 0], [0, 6, 0], [0, 0, 6]], [false, false, false]),
  ]

  /// Six atoms in a triclinic cell that is smaller than twice the cutoff.
  static func periodic(_ k: Int = 0) throws -> Configuration {
    let cell = try Cell(vectors: cells[k].vectors, periodic: cells[k].periodic)
    return Configuration(
      cell: cell, positions: positions(6, 3) { cell.cartesian(0.5 * $0 + 0.5) }, types: [0, 1, 2, 1, 0, 2])
  }

  private static func positions(
    _ count: Int, _ seed: UInt64, _ place: (SIMD3<Double>) -> SIMD3<Double>
  ) -> [SIMD3<Double>] {
    var random = SplitMix(seed: seed)
    var positions: [SIMD3<Double>] = []
    while positions.count < count {
      let x = place(random.vector())
      if positions.allSatisfy({ length($0 - x) > 0.9 }) { positions.append(x) }
    }
    return positions
  }
}
