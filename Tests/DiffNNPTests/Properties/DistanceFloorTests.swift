import Testing

@testable import DiffNNP

@Suite struct DistanceFloorTests {
  static let floor = try! DistanceFloor(typeCount: 2, distances: [2.5, 1.8, 0], width: 0.4)
  /// Around where distances begin to slow down, and where they stand still.
  private static let places = [2.9, 2.5, 2.3, 2.1, 1.8, 1.6, 1.4, 0.5]

  @Test(arguments: [(0, 0), (0, 1), (1, 0), (1, 1)])
  func derivativesAreThoseOfTheDistance(_ a: Int, _ b: Int) {
    func floored(_ r: Double) -> DistanceFloor.Floored { Self.floor.floored(a, b, at: r) }
    let h = 1e-5
    for r in Self.places {
      let (up, down, here) = (floored(r + h), floored(r - h), floored(r))
      #expect(abs((up.distance - down.distance) / (2 * h) - here.slope) < 1e-9)
      // Of a continuous second derivative with kinks.
      #expect(abs((up.slope - down.slope) / (2 * h) - here.curvature) < 1e-3)
      #expect(abs(up.curvature - down.curvature) < 1e-3)
      #expect(here.slope >= 0 && here.distance >= r)
    }
  }

  @Test func leavesDistancesAboveAndStandsStillBelow() {
    for (a, b, start) in [(0, 0, 2.5), (0, 1, 1.8)] {
      for r in [start, start + 0.1, 3, 5] { #expect(Self.floor.floored(a, b, at: r).distance == r) }
      for r in [start - 0.401, start - 1, 0.1] {
        let floored = Self.floor.floored(a, b, at: r)
        #expect(abs(floored.distance - (start - 0.2)) < 1e-15 && floored.slope == 0 && floored.curvature == 0)
      }
    }
    for r in [2.0, 0.1] { #expect(Self.floor.floored(1, 1, at: r).distance == r) }
  }

  /// A table has no interval for a distance below zero, which rounding of a very wide floor would give.
  @Test func distancesAreNotNegative() throws {
    for (start, width) in [(1.9, 5e8), (1.7, 1.3e9), (3.7, 9e9)] {
      let floor = try DistanceFloor(typeCount: 1, distances: [start], width: width)
      #expect(floor.floored(0, 0, at: 1e-17).distance >= 0)
    }
  }

  @Test func nonsenseIsRefused() {
    for (distances, width) in [
      ([1.0], 0.3), ([1, 1, -1], 0.3), ([1, 1, .nan], 0.3), ([1, 1, 1], 0), ([1, 1, 1], .nan),
    ] {
      #expect(throws: DiffNNPError.self) { try DistanceFloor(typeCount: 2, distances: distances, width: width) }
    }
    #expect(throws: DiffNNPError.self) { try Self.floor.check(typeCount: 2, within: 2.4) }
    #expect(throws: DiffNNPError.self) { try Self.floor.check(typeCount: 1, within: 3) }
    #expect(throws: Never.self) { try DistanceFloor.none.check(typeCount: 1, within: 3) }
  }

  // MARK: In a potential

  private static func dimer(_ evaluator: Evaluator, _ r: Double, _ types: [Int]) throws -> (
    energy: Double, force: Double
  ) {
    let unit = SIMD3<Double>(2, 3, 6) / 7
    let result = try evaluator.evaluate(
      Configuration(
        cell: Cell(orthogonal: [50, 50, 50], periodic: [false, false, false]), positions: [.zero, r * unit],
        types: types))
    return (result.energy, dot(result.forces[1], unit))
  }

  /// Two atoms alone, nearer than where the floor is flat: the force along the line between them is that of the pair term.
  @Test(arguments: SamplePotential.floored, Precision.allCases)
  func thePairTermAloneActsBelow(_ sample: SamplePotential, _ precision: Precision) throws {
    let (potential, floor) = (sample.potential, SamplePotential.floor)
    let pair = try Potential(
      typeNames: potential.typeNames, energyScale: potential.energyScale, terms: [potential.term(PairTerm.self)])
    let rounding = precision == .single ? 1e-6 : 1e-13
    let (whole, alone) = (Evaluator(potential, precision: precision), Evaluator(pair, precision: precision))
    for (a, b) in [(0, 0), (0, 1), (1, 2), (2, 2)] {
      let start = floor.distances[TypePairs.index(a, b, typeCount: 3)]
      var energies: [Double] = []
      for r in [0.3, 0.5, 0.8, 0.999].map({ $0 * (start - floor.width) }) {
        let (found, expected) = (try Self.dimer(whole, r, [a, b]), try Self.dimer(alone, r, [a, b]))
        #expect(abs(found.force - expected.force) < rounding * max(1, abs(expected.force)))
        energies.append(found.energy - expected.energy)
      }
      #expect(energies.max()! - energies.min()! < rounding * max(1, abs(energies[0])))
      // Where it is not flat, there is something to be floored.
      let (found, expected) = (try Self.dimer(whole, start + 0.1, [a, b]), try Self.dimer(alone, start + 0.1, [a, b]))
      #expect(abs(found.force - expected.force) > 1e-3)
    }
  }

  /// The derivative of the force is continuous where the floor begins and where it becomes flat.
  @Test(arguments: SamplePotential.floored)
  func secondDerivativesAreContinuous(_ sample: SamplePotential) throws {
    let evaluator = Evaluator(sample.potential, precision: .double)
    let floor = SamplePotential.floor
    let start = floor.distances[1]
    func curvature(_ r: Double) throws -> Double {
      try (Self.dimer(evaluator, r + 1e-5, [0, 1]).force - Self.dimer(evaluator, r - 1e-5, [0, 1]).force) / 2e-5
    }
    let size = try stride(from: start - floor.width, through: start, by: 0.1 * floor.width).map {
      abs(try curvature($0))
    }
    .max()!
    for r in [start, start - floor.width] {
      #expect(abs(try curvature(r + 1e-4) - curvature(r - 1e-4)) < 0.02 * size)
    }
  }

  @Test(arguments: SamplePotential.floored)
  func weightFilesKeepIt(_ sample: SamplePotential) throws {
    let potential = sample.potential
    let loaded = try WeightFile.decode(WeightFile.encode(potential))
    #expect(loaded.term(TripletTerm.self) == potential.term(TripletTerm.self))
    #expect(loaded.term(Network.self)?.architecture == potential.term(Network.self)?.architecture)
    let configuration = try SampleConfiguration.periodic()
    #expect(
      try Evaluator(loaded).evaluate(configuration).forces == Evaluator(potential).evaluate(configuration).forces)
  }
}
