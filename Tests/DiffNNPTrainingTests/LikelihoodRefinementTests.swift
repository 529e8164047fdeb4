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
    let potential = try Potential(typeNames: ["A"], energyScale: 1, pair: pair, network: network)
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

  private func refinement(
    start: [Double] = LikelihoodRefinementTests.truth.map { 0.75 * $0 }, steps: Int, seed: UInt64 = 1, threads: Int = 1,
    wall: Double = 0.1, _ effort: LikelihoodRefinement.Effort = few
  ) throws -> LikelihoodRefinement {
    var (settings, pair) = (NetworkSettings(), PairFit.Settings())
    (settings.features, settings.layers, settings.lMax, settings.radialWidth) = (2, 1, 0, 3)
    (settings.rMax, settings.likelihoodSteps, settings.seed) = (3.5, steps, seed)
    pair.threads = threads
    let trainer = try NetworkTrainer(
      settings, pair: nil, pairSettings: pair, trajectory: Self.data, temperature: 300)
    let fit = PairFit.Result(
      basis: Self.basis, blocks: try TimeBlocks(frameCount: 400, blockCount: 5), bareCoefficients: start,
      triplets: nil, sigmas: [0], sigma: 0, smallestDistances: [0.1], wallDistances: [wall], candidates: [], chosen: [],
      heldOutObjective: 0)
    return try LikelihoodRefinement(after: trainer, pair: fit, trajectory: Self.data, threads: threads, effort)
  }

  private func counts(_ frames: some Collection<Frame>) throws -> [Double] {
    var counts = [Double](repeating: 0, count: Self.basis.count)
    for frame in frames { try PairCounter(Self.basis).add(frame.configuration, to: &counts) }
    return counts
  }

  /// The energy of a pair potential is linear in its coefficients, and the counts are the factors.
  @Test func countsAreDerivativesOfTheEnergy() throws {
    let potential = try Potential(
      typeNames: ["A"], energyScale: 1, pair: Self.basis.pairTerm(Self.truth), network: nil)
    let (edges, search) = (EdgeList(), NeighbourSearch())
    for frame in Self.data.frames.prefix(3) {
      try search.fill(edges, frame.configuration, cutoff: Self.basis.rMax)
      let energy = Evaluator(potential).compute(edges, into: .init())
      let sum = zip(try counts([frame]), Self.truth).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(sum - energy) < 1e-10 * max(1, abs(energy)))
    }
  }

  /// Where the start is too soft, what it and the network are moved to has the pairs of the data again.
  @Test func findsThePairsOfTheData() throws {
    let soft = Self.truth.map { 0.75 * $0 }
    let refinement = try refinement(start: soft, steps: 300, threads: 2, Self.plenty)
    while !refinement.isFinished { _ = try refinement.advance() }
    func error(_ counts: [Double]) throws -> Double {
      let reference = try self.counts(Self.data.frames)
      return zip(counts, reference).reduce(0) { $0 + abs($1.0 - $1.1) } / reference.reduce(0, +)
    }
    let before = try error(counts(Self.sample(Self.basis.pairTerm(soft), count: 400, seed: 2)))
    let floor = try error(counts(Self.sample(Self.basis.pairTerm(Self.truth), count: 400, seed: 2)))
    let refined = try refinement.result()
    let after = try error(counts(Self.sample(refined.pair, refined.network, count: 400, seed: 2)))
    #expect(floor < 0.02 && before > 5 * floor && after < before / 3, "\(before) \(after) \(floor)")
    #expect(refinement.state.restarts == 0)
  }

  /// Corrections change what walls continue, and the walls with it.
  @Test func keepsTheWalls() throws {
    let refinement = try refinement(start: Self.truth.map { 0.5 * $0 }, steps: 30, threads: 2, wall: 2.1, Self.plenty)
    while !refinement.isFinished { _ = try refinement.advance() }
    #expect(refinement.state.averagePair.contains { $0 != 0 })
    let pair = try refinement.result().pair.freeCoefficients
    let raised = RepulsiveWall().applied(to: pair, Self.basis, smallestDistances: [2.1])
    #expect(pair == raised && pair[0] > Self.truth[0])
  }

  /// Where chance explains all there is to correct, nothing is corrected.
  @Test func leavesAloneWhatIsRight() throws {
    let refinement = try refinement(start: Self.truth, steps: 300, threads: 2, Self.plenty)
    let before = refinement.state
    while !refinement.isFinished { _ = try refinement.advance() }
    // The network, random and weak, may be told from none; then corrections are small.
    let largest = refinement.state.averagePair.map(abs).max()!
    #expect(
      refinement.step == Self.plenty.measuringSteps ? refinement.state.parameters == before.parameters : largest < 0.1)
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

  @Test(arguments: [2, 4, 7])
  func resumedEqualsUninterrupted(_ stop: Int) throws {
    let first = try refinement(steps: 6)
    for _ in 0..<stop { _ = try first.advance() }
    var file = SafetensorsFile(metadata: [:], tensors: [])
    first.addCheckpoint(to: &file)
    file = try SafetensorsFile(bytes: file.serialised())
    let second = try refinement(steps: 6, threads: 2)
    try second.resume(from: file)
    #expect(second.step == stop && second.state == first.state)
    while !first.isFinished { _ = try first.advance() }
    while !second.isFinished { _ = try second.advance() }
    #expect(second.state == first.state && second.step == 10)

    var settings = NetworkSettings()
    settings.likelihoodSteps = 7
    #expect(throws: DiffNNPError.self) { try LikelihoodRefinement.isPart(of: file, settings) }
    file.tensors.removeAll { $0.name.hasSuffix("positions.1") }
    #expect(throws: DiffNNPError.self) { try second.resume(from: file) }
  }
}

@Suite struct PairEvidenceTests {
  /// Independent counts are told from chance where they differ, and only there.
  @Test func tellsDifferencesFromChance() {
    var random = Philox(seed: 4, purpose: .noise, frame: 0)
    let means = (0..<60).map { 40 + 5 * Double($0) }
    func counts(spread: Double, groups: Int, size: Int) -> PairEvidence {
      let shifts = means.map { $0 * (1 + spread * random.normal()) }
      let sums = (0..<groups).map { _ in
        shifts.map { $0 * Double(size) + ($0 * Double(size)).squareRoot() * random.normal() }
      }
      return PairEvidence(sums: sums, sizes: Array(repeating: size, count: groups))
    }
    let data = counts(spread: 0, groups: 5, size: 20)
    // 300 degrees of freedom: 8 %. A single pair, independent of others, has φ = 1.
    #expect(abs(data.factor * 100 - 1) < 0.3)
    let alike = data.excessVariance(of: counts(spread: 0, groups: 8, size: 10))
    let different = data.excessVariance(of: counts(spread: 0.1, groups: 8, size: 10))
    #expect(alike < 1e-4 && abs(different.squareRoot() - 0.1) < 0.03, "\(alike) \(different)")
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
