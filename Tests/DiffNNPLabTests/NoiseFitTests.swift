import DiffNNP
import DiffNNPFrames
import DiffNNPTraining
import Testing

@testable import DiffNNPLab
@testable import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct NoiseFitTests {
  /// Stiffness (kT/Å²) of the well u = ½ k r², whose score is known also for noised samples.
  private static let stiffness = 4.0
  private static let well = Result { try Samples.dimers(6000, seed: 21) { 0.5 * stiffness * $0 * $0 } }

  /// u'/r about the width of the well.
  private static func stiffness(_ result: LinearFit.Result) throws -> Double {
    let pair = try result.pairTerm()
    let distances = stride(from: 0.6, through: 1.1, by: 0.05)
    return distances.reduce(0) { $0 + pair.value(0, 0, at: $1).slope / $1 } / Double(distances.map { $0 }.count)
  }

  private static func fit(_ noise: NoiseMode) throws -> LinearFit.Result {
    try NoiseFit(Samples.settings(rMax: 5, spacing: 0.25), noise, temperature: 300).run(well.get())
  }

  private static let sigma = 0.3

  /// Both atoms are noised: the relative vector gains the variance 2τ.
  @Test(arguments: [
    NoiseMode.fixed(sigma: sigma), .copies(sigma: sigma, count: 5), .fresh(sigma: sigma),
    .antithetic(sigma: sigma, pairs: 2),
  ])
  func oneNoiseLevelSoftensAWell(_ noise: NoiseMode) throws {
    let result = try Self.fit(noise)
    let expected = Self.stiffness / (1 + 2 * Self.stiffness * Self.sigma * Self.sigma)
    #expect(abs(try Self.stiffness(result) / expected - 1) < 0.08)
    #expect(result.sigma == Self.sigma)
  }

  @Test func variancePreservingNoiseAlsoShrinksDistances() throws {
    let noise = NoiseMode.variancePreserving(sigma: Self.sigma, copies: 5)
    let result = try Self.fit(noise)
    let tau = Self.sigma * Self.sigma
    let expected = 1 / ((1 - tau) / Self.stiffness + 2 * tau)
    #expect(abs(try Self.stiffness(result) / expected - 1) < 0.08)
  }

  @Test func theLadderRemovesTheBias() throws {
    let result = try Self.fit(.ladder(sigmas: NoiseMode.defaultSigmas))
    #expect(result.sigma == 0)
    #expect(abs(try Self.stiffness(result) / Self.stiffness - 1) < 0.08)
  }

  @Test func nonsenseIsRefused() throws {
    let modes: [NoiseMode] = [
      .fixed(sigma: -0.1), .fixed(sigma: 0), .copies(sigma: 0.1, count: 0), .ladder(sigmas: [0.1, 0.2]),
      .ladder(sigmas: [0, 0.2, 0.1]), .variancePreserving(sigma: 1.5, copies: 1), .fresh(sigma: .nan),
    ]
    for mode in modes {
      #expect(throws: DiffNNPError.self) { try mode.validate() }
      #expect(throws: DiffNNPError.self) { try NoiseFit(FitSettings(), mode, temperature: 300) }
    }
  }

  @Test func noiseOfLevelsAndCopiesIsNeverTheSame() {
    let mode = NoiseMode.copies(sigma: 0.1, count: 10_000)
    func noise(_ level: Int, _ draw: Int) -> SIMD3<Double> {
      mode.draw(seed: 1, frame: 0, level: level, draw: draw, atomCount: 1)[0]
    }
    let draws = [noise(0, 0), noise(0, 4096), noise(1, 0), noise(1, 4096), noise(0, 8192), noise(2, 0)]
    for k in draws.indices { for l in 0..<k { #expect(draws[k] != draws[l]) } }
  }

  /// Where a potential belongs to a noise level, noise brings pairs closer than in the frames, and the wall leaves them room: a
  /// network that sees noised frames would otherwise learn to take the wall away.
  @Test func theWallLeavesRoomForNoise() throws {
    let sigma = 0.25
    let trajectory = try Samples.fluid(30, atoms: 64, edge: 16, rMax: 7, seed: 3) { 400 * exp(-2 * $0) }
    let result = try NoiseFit(FitSettings(), .copies(sigma: sigma, count: 4), temperature: 300).run(trajectory)
    let (smallest, spacing) = (result.smallestDistances[0], result.basis.spacing)
    let coefficients = result.model.walled(result.coefficients)
    for (k, (own, walled)) in zip(result.coefficients, coefficients).enumerated() {
      // A pair brought closer by one standard deviation, with the width of a spline between.
      if Double(k) * spacing > smallest - 2.0.squareRoot() * sigma { #expect(own == walled) }
    }
    #expect(coefficients[0] > coefficients[5] && coefficients[0] > result.coefficients[20])
  }

  /// A network that adds to a pair term sees no distances below its walls, which leave room for noise.
  @Test func networksLeaveTheWallsAlone() throws {
    let trajectory = try Samples.fluid(20, atoms: 27, edge: 9, rMax: 4, seed: 3) { 40 * exp(-2 * $0) }
    var (fitSettings, settings) = (FitSettings(), NetworkSettings())
    fitSettings.threads = 1
    (settings.features, settings.layers, settings.lMax, settings.rMax) = (2, 1, 0, 3.5)
    let noise = NoiseMode.copies(sigma: 0.1, count: 2)
    let fit = try NoiseFit(fitSettings, noise, temperature: 300).run(trajectory)
    let trainer = try NetworkTrainer(
      settings, fit, fitSettings, noise: noise.networkNoise, trajectory: trajectory, temperature: 300)
    #expect(trainer.sigmas == [0.1] && trainer.runSigma == 0.1)
    let expected = fit.wallDistances.map { min($0 - 0.2 * 2.0.squareRoot(), settings.rMax) }
    for (a, b) in zip(try trainer.result().architecture.floor.distances, expected) { #expect(abs(a - b) < 1e-12) }
  }

  /// The noise of a network is that of the mode.
  @Test func networksLearnFromTheSameNoise() {
    let modes: [(mode: NoiseMode, isAntithetic: Bool, copies: Int?)] = [
      (.fixed(sigma: 0.1), false, 1), (.copies(sigma: 0.1, count: 7), false, 7), (.fresh(sigma: 0.1), false, nil),
      (.antithetic(sigma: 0.1, pairs: 3), true, nil), (.variancePreserving(sigma: 0.6, copies: 4), false, 4),
    ]
    for (mode, isAntithetic, copies) in modes {
      let noise = mode.networkNoise
      #expect(noise.isAntithetic == isAntithetic && noise.copies == copies && noise.sigmas == mode.sigmas)
      #expect(noise.positionScale == mode.positionScale)
    }
  }
}

@Suite struct NoisedScoresTests {
  private static let basis = PairBasis(typeCount: 2, rMax: 4, intervals: 6)

  /// Two frames of a few atoms in a cell smaller than twice the cutoff.
  private static let frames: [Frame] = {
    let cell = try! Cell(vectors: [[7, 0, 0], [1, 6.5, 0], [-1, 0.5, 6]])
    return (0..<2).map { f in
      var random = Philox(seed: 11, purpose: .network, frame: f)
      let positions = (0..<7).map { _ in cell.cartesian([random.uniform(), random.uniform(), random.uniform()]) }
      return Frame(cell: cell, positions: positions, types: (0..<7).map { $0 % 2 })
    }
  }()

  private static func forms(_ noise: NoiseMode) throws -> [[QuadraticForm]] {
    var settings = FitSettings()
    (settings.seed, settings.threads) = (3, 2)
    let scores = try PairScores(
      Frames(frames), blocks: TimeBlocks(frameCount: 2, blockCount: 2), basis, threads: 2)
    return try NoisedScores(Frames(frames), scores, noise, settings).forms
  }

  private static func expectEqual(_ x: [Double], _ y: [Double], _ tolerance: Double) {
    #expect(x.count == y.count)
    let scale = y.map(abs).max() ?? 1
    for (a, b) in zip(x, y) { #expect(abs(a - b) <= tolerance * scale) }
  }

  /// The same from labels, with antithetic noise: equal in the mean.
  @Test func exactLaplaciansAreTheMeanOverNoise() throws {
    let exact = try Self.forms(.fresh(sigma: 0.3))
    let sampled = try Self.forms(.antithetic(sigma: 0.3, pairs: 4000))
    #expect(exact.count == 2 && sampled.count == 2)
    for block in 0..<2 {
      Self.expectEqual(sampled[1][block].vector, exact[1][block].vector, 0.05)
      #expect(sampled[0][block] == exact[0][block])
    }
  }
}
