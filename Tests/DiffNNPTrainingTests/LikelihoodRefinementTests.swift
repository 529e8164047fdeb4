import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

/// Beads that repel each other, sampled from a potential that is known; refinement starts from a wrong one.
@Suite struct LikelihoodRefinementTests {
  private static let cell = try! Cell(orthogonal: [9, 9, 9])
  private static let basis = PairBasis(typeCount: 1, rMax: 4.5, intervals: 18)

  /// A soft repulsion with a shallow well, in kT.
  private static let truth: [Double] = (0..<basis.intervals).map { (k: Int) -> Double in
    let r = Double(k) * basis.spacing
    return r < 3 ? 6 * (3 - r) : -1.2 * (4.5 - r) * (r - 3)
  }

  private static let start: Configuration = {
    let sites = (0..<27).map { (k: Int) -> SIMD3<Double> in
      3 * SIMD3(Double(k % 3), Double(k / 3 % 3), Double(k / 9))
    }
    return Configuration(cell: cell, positions: sites, types: Array(repeating: 0, count: 27))
  }()

  /// Frames of a chain that runs in a potential.
  private static func sample(
    _ pair: PairTerm, _ network: Network? = nil, count: Int, seed: UInt64
  ) throws -> [Frame] {
    let potential = try Potential(typeNames: ["A"], energyScale: 1, terms: [pair, network])
    let (edges, search, evaluator) = (EdgeList(), NeighbourSearch(), Evaluator(potential))
    var configuration = start
    var chain = LangevinChain(configuration.positions)
    var random = Philox(seed: seed, purpose: .noise, frame: 0)
    var forces = [Double](repeating: 0, count: 81)
    return try (0..<count).map { _ in
      let isFine = try chain.advance(30, &configuration, masses: [10], using: &random) { configuration, score in
        try search.fill(edges, configuration, cutoff: basis.rMax)
        forces.withUnsafeMutableBufferPointer {
          _ = evaluator.compute(edges, into: .init(forces: $0.baseAddress!))
        }
        score = (0..<27).map { [forces[3 * $0], forces[3 * $0 + 1], forces[3 * $0 + 2]] }
      }
      #expect(isFine)
      return Frame(cell: cell, positions: configuration.positions, types: configuration.types)
    }
  }

  /// Just enough to go through all that a refinement does.
  private static let few: LikelihoodRefinement.Effort = {
    var effort = LikelihoodRefinement.Effort()
    (effort.chainAtoms, effort.stride, effort.measuringSteps, effort.settlingSteps) = (4 * 27, 5, 4, 1)
    return effort
  }()

  /// Enough to learn from.
  private static let plenty: LikelihoodRefinement.Effort = {
    var effort = LikelihoodRefinement.Effort()
    effort.chainAtoms = 8 * 27
    return effort
  }()

  static let data = Trajectory(
    typeNames: ["A"], frames: try! sample(basis.pairTerm(truth), count: 400, seed: 1))

  /// A fit with such coefficients, as if these were where a pseudo-likelihood has its minimum.
  private static func fit(_ start: [Double], wall: Double?) throws -> LinearFit.Result {
    let settings = Samples.settings(rMax: basis.rMax, spacing: basis.spacing)
    let fit = try LinearFit(settings, temperature: 300).run(data)
    var result = LinearFit.Result(
      model: LinearModel([PairFeatures(basis: basis, wallDistances: wall.map { [$0] } ?? fit.wallDistances)]),
      coefficients: start, blocks: fit.blocks, smallestDistances: fit.smallestDistances,
      wallDistances: fit.wallDistances, candidates: [], chosen: [], heldOutObjective: 0)
    result.minimum = fit.minimum
    return result
  }

  private func refinement(
    start: [Double] = LikelihoodRefinementTests.truth.map { 0.75 * $0 }, network: Bool = true, steps: Int,
    seed: UInt64 = 1, threads: Int = 1, wall: Double? = nil, _ effort: LikelihoodRefinement.Effort = few
  ) throws -> LikelihoodRefinement {
    var (settings, pair) = (NetworkSettings(), FitSettings())
    (settings.features, settings.layers, settings.lMax, settings.radialWidth) = (2, 1, 0, 3)
    (settings.rMax, settings.seed) = (3.5, seed)
    pair.threads = threads
    let trainer =
      network
      ? try NetworkTrainer(settings, nil, pair, trajectory: Self.data, temperature: 300) : nil
    return try LikelihoodRefinement(
      Self.fit(start, wall: wall), trainer, trajectory: Self.data, steps: steps, seed: seed, threads: threads, effort)
  }

  private func counts(_ frames: some Collection<Frame>) throws -> [Double] {
    let evaluator = LinearModelEvaluator(LinearModel(Self.basis))
    return try frames.reduce(into: [Double](repeating: 0, count: Self.basis.count)) { counts, frame in
      for (k, sum) in try evaluator.sums(frame.configuration).enumerated() { counts[k] += sum }
    }
  }

  /// Where the start is too soft, what it and the network are moved to has the pairs of the data again.
  @Test(arguments: [false, true])
  func findsThePairsOfTheData(_ network: Bool) throws {
    let soft = Self.truth.map { 0.75 * $0 }
    let refinement = try refinement(start: soft, network: network, steps: 300, threads: 2, Self.plenty)
    while !refinement.isFinished { _ = try refinement.advance() }
    func error(_ counts: [Double]) throws -> Double {
      let reference = try self.counts(Self.data.frames)
      return zip(counts, reference).reduce(0) { $0 + abs($1.0 - $1.1) } / reference.reduce(0, +)
    }
    let before = try error(counts(Self.sample(Self.basis.pairTerm(soft), count: 400, seed: 2)))
    let floor = try error(counts(Self.sample(Self.basis.pairTerm(Self.truth), count: 400, seed: 2)))
    let refined = try refinement.result()
    let after = try error(counts(Self.sample(refined.fit.pairTerm(), refined.network, count: 400, seed: 2)))
    #expect(floor < 0.02 && before > 5 * floor && after < before / 3, "\(before) \(after) \(floor)")
    #expect(refinement.state.restarts == 0 && (refined.network != nil) == network)
  }

  /// Corrections change what walls continue, and the walls with it.
  @Test func keepsTheWalls() throws {
    let refinement = try refinement(start: Self.truth.map { 0.5 * $0 }, steps: 30, threads: 2, wall: 2.1, Self.plenty)
    while !refinement.isFinished { _ = try refinement.advance() }
    #expect(refinement.hasCorrected)
    let pair = try refinement.result().fit.pairTerm().freeCoefficients
    let raised = RepulsiveWall().applied(to: pair, Self.basis, smallestDistances: [2.1])
    #expect(pair == raised && pair[0] > Self.truth[0])
  }

  /// Where chance explains all there is to correct, nothing is corrected.
  @Test func leavesAloneWhatIsRight() throws {
    let refinement = try refinement(start: Self.truth, network: false, steps: 300, threads: 2, Self.plenty)
    while !refinement.isFinished { _ = try refinement.advance() }
    #expect(refinement.step == Self.plenty.measuringSteps && !refinement.hasCorrected)
    #expect(try refinement.result().fit.coefficients == Self.truth)
  }

  /// Triplets that are wrong in all coefficients become right again.
  @Test func movesTriplets() throws {
    var settings = Samples.settings(rMax: Self.basis.rMax, spacing: Self.basis.spacing)
    settings.triplets = TripletSettings()
    settings.triplets?.rMax = 3.5
    let right = try LinearFit(settings, temperature: 300).run(Self.data)
    let triplets = try #require(right.triplets)
    let wrong = right.with(right.pairCoefficients + triplets.coefficients.map { $0 + 0.05 })
    let refinement = try LikelihoodRefinement(
      wrong, nil, trajectory: Self.data, steps: 200, seed: 1, threads: 2, Self.plenty)
    while !refinement.isFinished { _ = try refinement.advance() }
    let refined = try refinement.result().fit
    /// Mean square of the difference in forces to the right ones.
    func error(_ fit: LinearFit.Result) throws -> Double {
      let (one, other) = (Calculator(try fit.potentials(["A"])[0]), Calculator(try right.potentials(["A"])[0]))
      return try Self.data.frames.prefix(20).reduce(0) { sum, frame in
        let forces = (try one.compute(frame.configuration).forces, try other.compute(frame.configuration).forces)
        return sum + zip(forces.0, forces.1).reduce(0) { $0 + dot($1.0 - $1.1, $1.0 - $1.1) }
      }
    }
    let (before, after) = (try error(wrong), try error(refined))
    #expect(refinement.hasCorrected && after < 0.2 * before, "\(before) \(after)")
  }

  @Test func threadsDoNotMatter() throws {
    func finish(_ refinement: LikelihoodRefinement) throws -> LikelihoodState {
      while !refinement.isFinished { _ = try refinement.advance() }
      return refinement.state
    }
    let one = try finish(refinement(steps: 4, threads: 1))
    #expect(try finish(refinement(steps: 4, threads: 2)) == one)
    #expect(try finish(refinement(steps: 4, seed: 2)) != one)
  }

  /// Large configurations need fewer steps, but enough to arrive.
  @Test(arguments: [(100, 300), (4000, 300), (8000, 150), (1_000_000, 80)])
  func stepsFollowSize(_ atoms: Int, _ steps: Int) {
    #expect(LikelihoodRefinement.Effort().steps(300, atoms: atoms) == steps)
    #expect(LikelihoodRefinement.Effort().steps(40, atoms: atoms) == 40)
  }

  @Test(arguments: [2, 4, 7], [false, true])
  func resumedEqualsUninterrupted(_ stop: Int, _ network: Bool) throws {
    let first = try refinement(network: network, steps: 6)
    for _ in 0..<stop { _ = try first.advance() }
    var file = SafetensorsFile(metadata: [:], tensors: [])
    first.addCheckpoint(to: &file)
    file = try SafetensorsFile(bytes: file.serialised())
    let second = try refinement(network: network, steps: 6, threads: 2)
    try second.resume(from: file)
    #expect(second.step == stop && second.state == first.state)
    while !first.isFinished { _ = try first.advance() }
    while !second.isFinished { _ = try second.advance() }
    #expect(second.state == first.state && second.step == 10)

    let settings = network ? NetworkSettings() : nil
    #expect(try LikelihoodRefinement.isCheckpoint(file, steps: 6, settings))
    #expect(throws: DiffNNPError.self) { try LikelihoodRefinement.isCheckpoint(file, steps: 7, settings) }
    let other = try refinement(start: Self.truth.map { 0.8 * $0 }, network: network, steps: 6)
    #expect(throws: DiffNNPError.self) { try other.resume(from: file) }
    file.tensors.removeAll { $0.name.hasSuffix("positions.1") }
    #expect(throws: DiffNNPError.self) { try second.resume(from: file) }
  }
}

@Suite struct FunctionMeansTests {
  /// Of frames whose volumes differ, the means that a smaller or larger cell would have; parts give the same as the whole.
  @Test func followTheVolume() throws {
    let model = LinearModel(PairBasis(typeCount: 1, rMax: 3, intervals: 8))
    var random = Philox(seed: 6, purpose: .noise, frame: 0)
    func frames(edges: [Double]) throws -> [Frame] {
      try edges.map { edge in
        let positions = (0..<60).map { _ in edge * SIMD3(random.uniform(), random.uniform(), random.uniform()) }
        let cell = try Cell(orthogonal: [edge, edge, edge])
        return Frame(cell: cell, positions: positions, types: positions.map { _ in 0 })
      }
    }
    let edges = (0..<2000).map { 9 + 0.001 * Double($0 % 1000) }
    let mixed = Trajectory(typeNames: ["A"], frames: try frames(edges: edges))
    let large = Trajectory(typeNames: ["A"], frames: try frames(edges: Array(repeating: 9.8, count: 1000)))
    let parts = try [0..<700, 700..<2000].map { try FunctionMeans(of: mixed.frames, $0, model) }
    let whole = FunctionMeans(parts)
    let direct = try FunctionMeans(of: mixed.frames, 0..<2000, model)
    let volume = 9.8 * 9.8 * 9.8
    let (found, same) = (whole.means(at: volume, whole.volumeSlopes), direct.means(at: volume, direct.volumeSlopes))
    #expect(zip(found, same).allSatisfy { abs($0 - $1) < 1e-9 * abs($1) })
    let right = try FunctionMeans(of: large.frames, 0..<1000, model)
    #expect(right.volumeSlopes.allSatisfy { $0 == 0 })
    // All pairs together, of which there are 15 a frame, here to within 2 %; without the slope it would be 17 % more.
    let sums = [found, right.means(at: volume, right.volumeSlopes), whole.means(at: 0, found.map { _ in 0 })]
      .map { $0.reduce(0, +) }
    #expect(abs(sums[0] / sums[1] - 1) < 0.03 && sums[2] / sums[1] > 1.1, "\(sums)")
  }

  /// Frames of different atoms are not refined.
  @Test func needTheSameAtoms() throws {
    let settings = Samples.settings(rMax: 4.5, spacing: 0.25)
    let data = LikelihoodRefinementTests.data
    let fit = try LinearFit(settings, temperature: 300).run(data)
    #expect(LikelihoodRefinement.isPossible(fit, data))
    var fewer = Array(data.frames.prefix(10))
    fewer[3].positions.removeLast()
    fewer[3].types.removeLast()
    #expect(!LikelihoodRefinement.isPossible(fit, Trajectory(typeNames: ["A"], frames: fewer)))
  }
}

@Suite struct LinearModelSumsTests {
  /// The energy of pairs and triplets is linear in their coefficients, and the sums are the factors.
  @Test func sumsAreDerivativesOfTheEnergy() throws {
    let pairs = PairBasis(typeCount: 2, rMax: 4, intervals: 16)
    let triplets = try TripletBasis(typeCount: 2, rMax: 3.5, intervals: 6, first: 1, lMax: 2)
    let model = LinearModel(pairs, triplets)
    let evaluator = LinearModelEvaluator(model)
    var random = Philox(seed: 5, purpose: .noise, frame: 0)
    let coefficients = (0..<model.count).map { _ in random.normal() }
    let potential = try Potential(typeNames: ["A", "B"], energyScale: 1, terms: model.terms(coefficients))
    let cell = try Cell(orthogonal: [9, 8, 10])
    for _ in 0..<3 {
      let positions = (0..<40).map { _ in
        SIMD3(9 * random.uniform(), 8 * random.uniform(), 10 * random.uniform())
      }
      let configuration = Configuration(cell: cell, positions: positions, types: (0..<40).map { $0 % 2 })
      let energy = try Calculator(potential, .double).compute(configuration).energy
      let sums = try evaluator.sums(configuration)
      let sum = zip(sums, coefficients).reduce(0) { $0 + $1.0 * $1.1 }
      let size = zip(sums, coefficients).reduce(0) { $0 + abs($1.0 * $1.1) }
      #expect(abs(sum - energy) < 1e-11 * size)
    }
  }
}

@Suite struct LangevinChainTests {
  /// Independent harmonic wells: ⟨k x²⟩ = 1 for any mass, and equal kinetic energies.
  @Test func samplesHarmonicWells() throws {
    let stiffness = [4.0, 50.0]
    let cell = try Cell(orthogonal: [10, 10, 10])
    let types = (0..<200).map { $0 % 2 }
    var configuration = Configuration(cell: cell, positions: Array(repeating: .zero, count: 200), types: types)
    var chain = LangevinChain(configuration.positions)
    var random = Philox(seed: 3, purpose: .noise, frame: 0)
    var sums = [SIMD2<Double>](repeating: .zero, count: 2)
    for round in 0..<300 {
      let isFine = chain.advance(40, &configuration, masses: stiffness, using: &random) { configuration, score in
        score = configuration.positions.indices.map { -stiffness[types[$0]] * configuration.positions[$0] }
      }
      #expect(isFine)
      guard round >= 20 else { continue }
      for i in types.indices {
        let (x, v) = (chain.positions[i], chain.velocities[i])
        sums[types[i]] += stiffness[types[i]] * [dot(x, x), dot(v, v)] / (280 * 300)
      }
    }
    // About 50 000 independent values each: a standard error of 0.6 %.
    for sum in sums { #expect(abs(sum.x - 1) < 0.03 && abs(sum.y - 1) < 0.03, "\(sums)") }
  }

  @Test func noticesAbsurdSpeeds() throws {
    var configuration = Configuration(cell: try Cell(orthogonal: [10, 10, 10]), positions: [.zero], types: [0])
    var chain = LangevinChain(configuration.positions)
    var random = Philox(seed: 3, purpose: .noise, frame: 0)
    let isFine = chain.advance(40, &configuration, masses: [1], using: &random) { _, score in score = [[1000, 0, 0]] }
    #expect(!isFine)
  }
}
