import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct NetworkTrainerTests {
  private static let settings: NetworkSettings = {
    var settings = NetworkSettings()
    settings.features = 3
    settings.layers = 2
    settings.lMax = 1
    settings.radialWidth = 4
    settings.rMax = 3.5
    settings.steps = 12
    settings.validationInterval = 4
    settings.batchSize = 2
    settings.sigmas = [0.1, 0.2]
    return settings
  }()

  /// Jittered crystals of eight atoms of two types, with forces towards their sites.
  private static let trajectory: Trajectory = {
    var random = Philox(seed: 5, purpose: .noise, frame: 0)
    let cell = try! Cell(orthogonal: [6, 6, 6])
    let frames = (0..<60).map { _ -> Frame in
      let shifts = (0..<8).map { _ in 0.3 * random.normal3() }
      let sites = (0..<8).map { site -> SIMD3<Double> in
        [Double(site & 1) * 3, Double((site >> 1) & 1) * 3, Double(site >> 2) * 3]
      }
      return Frame(
        cell: cell, positions: zip(sites, shifts).map { $0 + $1 }, types: (0..<8).map { $0 % 2 },
        forces: shifts.map { -0.2 * $0 })
    }
    return Trajectory(typeNames: ["A", "B"], frames: frames)
  }()

  private func trainer(
    threads: Int = 1, seed: UInt64 = 1, objective: TrainingObjective = .denoising, steps: Int = 12
  ) throws
    -> NetworkTrainer
  {
    var (settings, pair) = (Self.settings, FitSettings())
    settings.seed = seed
    settings.steps = steps
    pair.threads = threads
    pair.objective = objective
    return try NetworkTrainer(
      settings, nil, pair, trajectory: Self.trajectory, temperature: 300)
  }

  private func finish(_ trainer: NetworkTrainer) throws -> [Double] {
    while !trainer.isFinished { _ = try trainer.advance() }
    return try trainer.result().parameters
  }

  @Test func threadsDoNotMatter() throws {
    let one = try finish(trainer(threads: 1))
    #expect(try finish(trainer(threads: 2)) == one)
    #expect(try finish(trainer(seed: 2)) != one)
  }

  @Test(arguments: [1, 4, 7])
  func resumedEqualsUninterrupted(_ stop: Int) throws {
    let first = try trainer()
    for _ in 0..<stop { _ = try first.advance() }
    let file = try SafetensorsFile(bytes: first.checkpoint().serialised())
    let second = try trainer(threads: 2)
    try second.resume(from: file)
    #expect(second.step == stop)
    #expect(try finish(second) == finish(trainer()))
  }

  @Test func checkpointsOfOtherRunsAreRefused() throws {
    let file = try trainer().checkpoint()
    let other = try trainer(seed: 2)
    #expect(throws: DiffNNPError.self) { try other.resume(from: file) }
    let foreign = SafetensorsFile(metadata: [:], tensors: [])
    let same = try trainer()
    #expect(throws: DiffNNPError.self) { try same.resume(from: foreign) }
  }

  /// Numbers of steps that no training has would stop the program later.
  @Test(arguments: [
    ("step", "-5"), ("step", "9223372036854775807"), ("step", "1.5"), ("best_step", "-1"), ("best_step", "4"),
    ("best_held_out", "nan"),
  ])
  func checkpointsThatMakeNoSenseAreRefused(_ key: String, _ value: String) throws {
    let first = try trainer()
    for _ in 0..<3 { _ = try first.advance() }
    var file = first.checkpoint()
    file.metadata[key] = value
    let second = try trainer()
    #expect(throws: DiffNNPError.self) { try second.resume(from: file) }
  }

  /// The same positions with other types, or in other cells, are other frames.
  @Test func checkpointsKnowTypesAndCells() throws {
    let file = try trainer().checkpoint()
    var (types, cells) = (Self.trajectory, Self.trajectory)
    types.frames[3].types.swapAt(0, 1)
    cells.frames[3].cell = try Cell(orthogonal: [6, 6, 6.001])
    for other in [types, cells] {
      let trainer = try NetworkTrainer(
        Self.settings, nil, FitSettings(), trajectory: other, temperature: 300)
      #expect(throws: DiffNNPError.self) { try trainer.resume(from: file) }
    }
  }

  /// A network that adds to a pair term sees no distances below its walls.
  @Test func networksLeaveTheWallsAlone() throws {
    var settings = FitSettings()
    (settings.triplets, settings.threads) = (nil, 1)
    let fit = try LinearFit(settings, temperature: 300).run(Self.trajectory)
    let trainer = try NetworkTrainer(Self.settings, fit, settings, trajectory: Self.trajectory, temperature: 300)
    let expected = fit.wallDistances.map { min($0, Self.settings.rMax) }
    for (a, b) in zip(try trainer.result().architecture.floor.distances, expected) { #expect(abs(a - b) < 1e-12) }
    #expect(try self.trainer().architecture.floor == .none)
  }

  /// Held-out objectives fall for every kind of label: here all name the same harmonic forces.
  @Test(arguments: TrainingObjective.allCases)
  func learns(_ objective: TrainingObjective) throws {
    let trainer = try trainer(threads: 2, objective: objective, steps: 60)
    var heldOut: [Double] = []
    while !trainer.isFinished {
      if let value = try trainer.advance().heldOut { heldOut.append(value) }
    }
    #expect(heldOut.last! < heldOut.first!)
    #expect(trainer.bestHeldOut < 0)
  }

  private func temporaryPath() -> String { "/tmp/diffnnp-test-\(getpid())-\(UInt64.random(in: 0 ... .max))" }
}

@Suite struct TrainingItemsTests {
  private let frame: Frame = {
    let cell = try! Cell(orthogonal: [10, 10, 10])
    let positions: [SIMD3<Double>] = [[1, 1, 1], [4, 4, 4]]
    return Frame(cell: cell, positions: positions, types: [0, 0], forces: [[0.1, 0, 0], [0, -0.3, 0.2]])
  }()

  private func items(
    sigma: Double = 0.2, copies: Int? = nil, isAntithetic: Bool = false, scale: Double = 1,
    _ objective: TrainingObjective = .denoising
  ) throws -> TrainingItems {
    var noise = NetworkNoise(sigmas: [sigma])
    (noise.copies, noise.isAntithetic, noise.positionScale) = (copies, isAntithetic, scale)
    return try TrainingItems(frames: [frame], noise: noise, objective: objective, thermalEnergy: 0.025, seed: 1)
  }

  private func draw(_ items: TrainingItems, visit: Int = 0) throws -> [ScoreObjective.Item] {
    try items.items(frame: 0, sigma: items.noise.sigmas[0], visit: visit, stream: 1)
  }

  @Test func antitheticItemsMirrorEachOther() throws {
    let pair = try draw(items(isAntithetic: true))
    #expect(pair.count == 2)
    for i in 0..<2 {
      let middle = 0.5 * (pair[0].configuration.positions[i] + pair[1].configuration.positions[i])
      #expect(length(middle - frame.positions[i]) < 1e-12)
      #expect(length(pair[0].target[i] + pair[1].target[i]) < 1e-12)
      // The target is -ε/σ, and y - x = σε.
      let shift = pair[0].configuration.positions[i] - frame.positions[i]
      #expect(length(pair[0].target[i] + shift / 0.04) < 1e-9)
    }
  }

  @Test func copiesReturnAndFreshNoiseDoesNot() throws {
    func first(_ copies: Int?, _ visit: Int) throws -> SIMD3<Double> {
      try draw(items(copies: copies), visit: visit)[0].target[0]
    }
    #expect(try first(3, 1) == first(3, 4))
    #expect(try first(3, 1) != first(3, 2))
    #expect(try first(1, 1) == first(1, 2))
    #expect(try first(nil, 1) != first(nil, 2))
  }

  @Test func variancePreservingNoiseScalesPositions() throws {
    let item = try draw(items(sigma: 0.6, copies: 1, scale: 0.8))[0]
    for i in 0..<2 {
      let expected = 0.8 * frame.positions[i] - 0.36 * item.target[i]
      #expect(length(item.configuration.positions[i] - expected) < 1e-12)
    }
  }

  /// The mixed target is the combination of least variance of two independent labels.
  @Test func mixedTargetsWeighLabelsByTheirVariance() throws {
    let sigma = 0.1
    let items = try items(sigma: sigma, isAntithetic: true, .mixed)
    let pair = try items.items(frame: 0, sigma: sigma, visit: 0, stream: 1)
    let meanSquare = frame.forces!.reduce(0) { $0 + dot($1, $1) } / (6 * 0.025 * 0.025)
    let share = (1 / (sigma * sigma)) / (1 / (sigma * sigma) + meanSquare)
    for i in 0..<2 {
      let forcePart = 0.5 * (pair[0].target[i] + pair[1].target[i])
      #expect(length(forcePart - share / 0.025 * frame.forces![i]) < 1e-9)
    }
  }

  @Test func forcesAreAskedForWhereNeeded() throws {
    var bare = frame
    bare.forces = nil
    #expect(throws: DiffNNPError.self) {
      try TrainingItems(
        frames: [bare], noise: NetworkNoise(sigmas: [0.1]), objective: .mixed, thermalEnergy: 0.025, seed: 1)
    }
  }
}
