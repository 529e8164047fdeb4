import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct LinearFitTests {
  /// Stiffness (kT/Å²) of the well u = ½ k r², whose score is known also for noised samples.
  static let stiffness = 4.0
  static let well = Result { try Samples.dimers(6000, seed: 21) { 0.5 * stiffness * $0 * $0 } }

  /// u'/r about the width of the well.
  static func stiffness(_ result: LinearFit.Result) throws -> Double {
    let pair = try result.pairTerm()
    let distances = stride(from: 0.6, through: 1.1, by: 0.05)
    return distances.reduce(0) { $0 + pair.value(0, 0, at: $1).slope / $1 } / Double(distances.map { $0 }.count)
  }

  @Test func findsTheStiffnessOfAWell() throws {
    let result = try Samples.fit(Self.well.get(), Samples.settings(rMax: 5, spacing: 0.25))
    #expect(result.sigma == 0)
    #expect(abs(try Self.stiffness(result) / Self.stiffness - 1) < 0.08)
  }

  /// Wells at 2 and 4.5 Å, 4 kT deep, with a barrier of 6 kT: scores hardly tell which is deeper, likelihood does.
  @Test func theLikelihoodComparesSeparatedWells() throws {
    func u(_ r: Double) -> Double {
      func bump(_ centre: Double, _ width: Double) -> Double { exp(-(r - centre) * (r - centre) / (2 * width * width)) }
      return (r < 1.6 ? 200 * (1.6 - r) * (1.6 - r) : 0) - 4 * bump(2, 0.25) + 3 * bump(3.2, 0.4) - 2 * bump(4.5, 0.4)
    }
    let trajectory = try Samples.dimers(4000, seed: 5, u)
    let pair = try Samples.fit(trajectory, Samples.settings(rMax: 8, spacing: 0.2)).pairTerm()
    let learned = pair.value(0, 0, at: 2).energy - pair.value(0, 0, at: 4.5).energy
    #expect(abs(learned - (u(2) - u(4.5))) < 0.4)
  }

  static func repulsion(_ r: Double) -> Double { 6 * exp(-(r - 2) / 0.5) - 0.8 * exp(-(r - 3.5) * (r - 3.5)) }
  static func repulsionSlope(_ r: Double) -> Double {
    -12 * exp(-(r - 2) / 0.5) + 1.6 * (r - 3.5) * exp(-(r - 3.5) * (r - 3.5))
  }
  static let fluid = Result {
    try Samples.fluid(150, atoms: 30, edge: 13, rMax: 6, seed: 9, repulsion, slope: repulsionSlope)
  }

  @Test(arguments: TrainingObjective.allCases)
  func recoversThePotentialOfAFluid(_ objective: TrainingObjective) throws {
    var settings = Samples.settings(rMax: 6, spacing: 0.2)
    settings.objective = objective
    let pair = try Samples.fit(Self.fluid.get(), settings).pairTerm()
    for r in stride(from: 2.6, through: 5, by: 0.3) {
      let error = pair.value(0, 0, at: r).slope - Self.repulsionSlope(r)
      #expect(abs(error) < (objective == .denoising ? 0.5 : 0.15), "at \(r) Å")
    }
  }

  @Test func theSameSeedGivesTheSameResultOnAnyNumberOfThreads() throws {
    var settings = Samples.settings(rMax: 6, spacing: 0.3)
    settings.threads = 1
    let one = try Samples.fit(Self.fluid.get(), settings)
    settings.threads = 2
    #expect(try Samples.fit(Self.fluid.get(), settings).coefficients == one.coefficients)
    settings.seed = 2
    #expect(try Samples.fit(Self.fluid.get(), settings).coefficients != one.coefficients)
  }

  @Test func missingForcesAreRefused() throws {
    var settings = Samples.settings(rMax: 5, spacing: 0.25)
    settings.objective = .mixed
    let error = #expect(throws: DiffNNPError.self) { try Samples.fit(Self.well.get(), settings) }
    #expect(error?.message.contains("has no forces") == true)
  }

  @Test func nonsenseIsRefused() throws {
    #expect(throws: DiffNNPError.self) { try LinearFit(.init(), temperature: -1) }
    #expect(throws: DiffNNPError.self) { try LinearFit(Samples.settings(rMax: 5, spacing: 0), temperature: 300) }
  }
}

@Suite struct RepulsiveWallTests {
  @Test func wallsRiseSteadilyBelowTheSmallestDistance() throws {
    let basis = PairBasis(typeCount: 2, rMax: 8, intervals: 80)
    var random = Philox(seed: 2, purpose: .noise, frame: 0)
    for _ in 0..<20 {
      let edges = [2 + random.uniform(), 3 + random.uniform(), Double.infinity]
      let c = (0..<basis.count).map { _ in random.normal() }
      let pair = try basis.pairTerm(RepulsiveWall().applied(to: c, basis, smallestDistances: edges))
      let original = try basis.pairTerm(c)
      for (a, b, edge) in [(0, 0, edges[0]), (0, 1, edges[1]), (1, 1, edges[0])] {
        // The knot at or below the edge ends the wall; one interval further in it is as steep as it has to be.
        let knot = (edge / basis.spacing).rounded(.down) * basis.spacing
        var slope = -Double.infinity
        for r in stride(from: 0.05, to: knot - 4 * basis.spacing, by: 0.05) {
          let value = pair.value(a, b, at: r)
          #expect(value.slope <= -5 && value.slope >= slope)
          slope = value.slope
        }
        #expect(pair.value(a, b, at: knot + 0.01) == original.value(a, b, at: knot + 0.01))
        #expect(pair.value(a, b, at: knot - 1).energy > pair.value(a, b, at: knot).energy + 30)
      }
    }
  }

  /// Whatever a fit, triplets and a network say: where the floor of the latter is flat, two atoms alone repel each other as the wall
  /// says.
  @Test(arguments: [0.05, 0.1, 0.2]) func nothingOutweighsTheWalls(_ spacing: Double) throws {
    let basis = PairBasis(typeCount: 2, rMax: 6, intervals: Int((6 / spacing).rounded()))
    var random = Philox(seed: 3, purpose: .noise, frame: 0)
    let closest = [2.33, 3.07, .infinity]
    let floor = try RepulsiveWall.floor(basis, smallestDistances: closest, within: 4)
    #expect(floor.distances == [2.33, 3.07, 2.33] && floor.width == max(0.3, 3 * spacing))
    for _ in 0..<5 {
      let c = (0..<basis.count).map { _ in 5 * random.normal() }
      let triplets = try TripletBasis(typeCount: 2, rMax: 4, intervals: 8, first: 1, lMax: 2, floor: floor)
      var architecture = NetworkArchitecture(
        typeNames: ["A", "B"], rMax: 4, numLayers: 2, lMax: 1, numFeatures: 4, avgNumNeighbors: 1)
      architecture.floor = floor
      let potential = try Potential(
        typeNames: ["A", "B"], energyScale: 1,
        terms: [
          basis.pairTerm(RepulsiveWall().applied(to: c, basis, smallestDistances: closest)),
          TripletTerm(triplets, coefficients: (0..<triplets.count).map { _ in 50 * random.normal() }),
          Network(
            architecture, parameters: TrainableNetwork.randomParameters(architecture, readout: 100, using: &random)),
        ])
      let calculator = Calculator(potential, .single)
      for (p, types) in [[0, 0], [0, 1], [1, 1]].enumerated() {
        for r in stride(from: 0.05, to: floor.distances[p] - floor.width, by: 0.07) {
          let forces = try calculator.compute(
            Configuration(cell: Cell(orthogonal: [30, 30, 30]), positions: [.zero, [0, r, 0]], types: types)
          ).forces
          #expect(forces[1].y >= 5 * (1 - 1e-9), "\(types) at \(r) Å")
        }
      }
    }
  }
}
