import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// What is given of a potential is not learned again: by moves, by scores, by labels and by chains.
@Suite struct KnownPartTests {
  private static func soft(_ r: Double) -> Double { 3 * (1 - r / 5) * (1 - r / 5) * (1 - r / 5) }

  private static func table(typeCount: Int, factor: Double = 1) throws -> KnownPairs {
    let row = (0..<50).map { factor * soft(0.1 * Double($0)) }
    return try KnownPairs(
      typeCount: typeCount, rMax: 5,
      energies: (0..<TypePairs.count(typeCount)).map { k in row.map { Double(k + 1) * $0 } })
  }

  @Test func tablesAreFollowed() throws {
    let pairs = try #require(Self.table(typeCount: 2).term as? PairTerm)
    for r in stride(from: 0.05, to: 5, by: 0.013) {
      for (p, types) in [(0, 0), (0, 1), (1, 1)].enumerated() {
        let expected = Double(p + 1) * Self.soft(r)
        #expect(abs(pairs.value(types.0, types.1, at: r).energy - expected) < 2e-3, "at \(r) Å")
      }
    }
    #expect(throws: DiffNNPError.self) { try KnownPairs(typeCount: 2, rMax: 5, energies: [[1, 2]]) }
  }

  /// The change of the known energy by a move, and its gradient, are those of its term, in a cell where atoms meet through
  /// two images too.
  @Test(arguments: [12.0, 8.0]) func movesAndGradientsAreThoseOfItsTerm(_ edge: Double) throws {
    let known = try Self.table(typeCount: 2)
    var random = Philox(seed: 3, purpose: .network, frame: 0)
    let positions = (0..<9).map { _ in edge * SIMD3(random.uniform(), random.uniform(), random.uniform()) }
    let configuration = Configuration(
      cell: try Cell(orthogonal: [edge, edge, edge]), positions: positions, types: (0..<9).map { $0 % 2 })
    let calculator = Calculator(
      try Potential(typeNames: ["A", "B"], energyScale: 1, terms: [known.term]), .double)
    let model = LinearModel(PairBasis(typeCount: 2, rMax: 3, intervals: 6), known: known)
    let evaluator = LinearModelEvaluator(model, reach: 2)
    try evaluator.begin(configuration)
    var row = Array(repeating: 0.0, count: 3 * model.count)
    let forces = try calculator.compute(configuration).forces
    for i in 0..<9 {
      let gradient = row.withUnsafeMutableBufferPointer { evaluator.gradients(of: i, into: $0.baseAddress!) }
      #expect(length(gradient + forces[i]) < 1e-10)
      let move: SIMD3<Double> = [1.2, -0.7, 0.4]
      evaluator.remove(i)
      evaluator.gather(about: i, within: length(move))
      let change = row.withUnsafeMutableBufferPointer {
        evaluator.put(i, move, into: $0.baseAddress!) - evaluator.put(i, .zero, into: $0.baseAddress!)
      }
      evaluator.restore(i)
      var moved = configuration
      moved.positions[i] += move
      let expected = try calculator.compute(moved).energy - calculator.compute(configuration).energy
      #expect(abs(change - expected) < 1e-10 * max(1, abs(expected)))
    }
  }

  /// A fluid of a soft and a sharp part: with the soft one known, the other is learned, whatever it is learned from.
  private static let fluid = Result {
    try Samples.fluid(
      150, atoms: 30, edge: 13, rMax: 6, seed: 9, { LinearFitTests.repulsion($0) + ($0 < 5 ? soft($0) : 0) },
      slope: { r in LinearFitTests.repulsionSlope(r) - (r < 5 ? 9 / 5 * (1 - r / 5) * (1 - r / 5) : 0) })
  }

  @Test(arguments: TrainingObjective.allCases)
  func theRestIsLearned(_ objective: TrainingObjective) throws {
    var settings = Samples.settings(rMax: 6, spacing: 0.2)
    settings.objective = objective
    settings.known = try Self.table(typeCount: 1)
    let fit = try Samples.fit(Self.fluid.get(), settings)
    let pair = try fit.pairTerm()
    for r in stride(from: 2.6, through: 5, by: 0.3) {
      let error = pair.value(0, 0, at: r).slope - LinearFitTests.repulsionSlope(r)
      #expect(abs(error) < (objective == .denoising ? 0.5 : 0.15), "at \(r) Å")
    }
    #expect(fit.heldOutObjective < 0)
  }

  /// Chains run with the sum: a refinement of the right potential finds nothing to correct, and one that forgot the known
  /// part would.
  @Test func chainsRunWithIt() throws {
    var settings = Samples.settings(rMax: 6, spacing: 0.2)
    settings.known = try Self.table(typeCount: 1)
    let fit = try Samples.fit(Self.fluid.get(), settings)
    let frame = try Self.fluid.get().frames[0].configuration
    let known = try #require(settings.known)
    let parts = try [fit.terms(), [known.term]].map { terms in
      try Calculator(Potential(typeNames: ["A"], energyScale: 1, terms: terms), .double).compute(frame).forces
    }
    var scores: [SIMD3<Double>] = []
    try TrainableScore(nil).evaluate(frame, bases: fit.potentials(["A"]), into: &scores)
    for i in scores.indices { #expect(length(scores[i] - parts[0][i] - parts[1][i]) < 1e-9) }
    var effort = LikelihoodRefinement.Effort()
    effort.chainAtoms = 240
    /// Steps after which the refinement is finished.
    func difference(_ fit: LinearFit.Result) throws -> Double {
      let refinement = try LikelihoodRefinement(
        fit, nil, trajectory: Self.fluid.get(), steps: 10, seed: 1, threads: 2, effort)
      var last = 0.0
      for _ in 0..<60 { last = try refinement.advance().countDifference }
      return last
    }
    var without = LinearFit.Result(
      model: LinearModel(fit.model.features), coefficients: fit.coefficients, blocks: fit.blocks,
      smallestDistances: fit.smallestDistances, wallDistances: fit.wallDistances, candidates: [], chosen: [],
      heldOutObjective: 0)
    without.minimum = fit.minimum
    let (right, wrong) = (try difference(fit), try difference(without))
    #expect(right < 0.5 * wrong, "\(right) and \(wrong)")
  }
}

/// A family of functions, and a kind of move, that the objective has never seen.
@Suite struct LinearModelSeamTests {
  /// One function: Σ x² of the atoms' distances from the plane through the middle of the cell.
  private struct Trap: LinearFeatures {
    let name = "trap"
    let arithmetic = "1 of a trap"
    let count = 1
    let rMax = 1.0
    let countsNeighbours = false
    let choiceCount = 12_000
    let priorKey = "stiffness"
    let priorName = "stiffness"
    let priorCandidates = [10.0, 100]

    func makeEvaluator() -> any FeatureEvaluating { TrapEvaluator() }
    func addPrior(_ width: Double, to form: inout QuadraticForm, offset: Int, atomCount: Double) {
      form.matrix[offset * form.count + offset] += 1 / (width * width)
    }
    func term(_ coefficients: [Double]) throws -> any Term {
      throw DiffNNPError("a trap has no term")
    }
  }

  private final class TrapEvaluator: FeatureEvaluating {
    private var positions: [SIMD3<Double>] = []
    func begin(_ configuration: Configuration, _ edges: EdgeList) { positions = configuration.positions }
    func remove(_ i: Int) {}
    func restore(_ i: Int) {}
    func put(
      _ i: Int, _ displacement: SIMD3<Double>, _ near: NearbyAtoms.Found, into f: UnsafeMutablePointer<Double>
    ) {
      let x = positions[i].x + displacement.x
      f[0] = x * x
    }
    func gradients(of i: Int, into f: UnsafeMutablePointer<Double>, stride: Int) {
      (f[0], f[stride], f[2 * stride]) = (2 * positions[i].x, 0, 0)
    }
    func sums(into f: UnsafeMutablePointer<Double>) { f[0] = positions.reduce(0) { $0 + $1.x * $1.x } }
  }

  /// A move of an atom along x by a uniform step, and back and forth from there.
  private struct Slide: Move {
    let step: Double
    var reach: Double { 2 * step }
    func subjectCount(atomCount: Int) -> Int { atomCount }
    func begin(_ i: Int, _ evaluator: LinearModelEvaluator) -> Bool {
      evaluator.remove(i)
      return true
    }
    func end(_ i: Int, _ evaluator: LinearModelEvaluator) { evaluator.restore(i) }
    func draw(
      _ i: Int, turn: Int, _ evaluator: LinearModelEvaluator, into candidates: inout Candidates,
      using random: inout Philox
    ) {
      evaluator.gather(about: i, within: reach)
      func slide() -> SIMD3<Double> { [step * (2 * random.uniform() - 1), 0, 0] }
      let noised = slide()
      for k in 0..<candidates.count {
        candidates.energies[k] = evaluator.put(i, k == 0 ? .zero : noised + slide(), into: candidates.functions(k))
      }
    }
  }

  /// Atoms in a harmonic trap of known stiffness, u = ½ k x², learned by the new move alone and by both moves.
  @Test(arguments: [false, true]) func newFunctionsAndMovesAreLearned(_ withBalls: Bool) throws {
    let stiffness = 2.5
    var random = Philox(seed: 8, purpose: .network, frame: 0)
    let cell = try Cell(vectors: [[40, 0, 0], [0, 40, 0], [0, 0, 40]], periodic: [false, false, false])
    let positions: [SIMD3<Double>] = (0..<40).map { k in
      [random.normal() / stiffness.squareRoot(), 3 * Double(k), 0]
    }
    // One configuration, many choices: every atom is a sample of its own.
    let frame = Frame(cell: cell, positions: positions, types: positions.map { _ in 0 })
    let frames = Frames(Array(repeating: frame, count: 2))
    let model = LinearModel([Trap()])
    let moves: [any Move] = [Slide(step: 1)] + (withBalls ? [AtomMove(smallestDistances: [0], typeCount: 1)] : [])
    let blocks = try TimeBlocks(frameCount: 2, blockCount: 2)
    let likelihood = PseudoLikelihood(
      model: model, frames: frames, blocks: blocks, moves: moves, candidates: 64, seed: 1, threads: 2)
    let minimiser = LinearMinimiser(model: model, blocks: blocks, atomCount: 80, threads: 1)
    var (priors, c) = ([100.0], [0.0])
    let found = try minimiser.descend([likelihood], &priors, .full, from: &c).minimum
    #expect(found.name == "pseudo-likelihood" && found.trials.count == 2)
    // The variance of the sample is known, and ½ k is the coefficient.
    let variance = positions.reduce(0) { $0 + $1.x * $1.x } / 40
    #expect(abs(2 * found.coefficients[0] * variance - 1) < 0.25, "\(found.coefficients)")
  }
}
