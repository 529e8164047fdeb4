import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

/// Several processes learn what one learns.
@Suite struct RanksTests {
  /// Two types of atoms in a fluid, with forces.
  private static let fluid: Trajectory = {
    let fluid = try! Samples.fluid(
      12, atoms: 24, edge: 9, rMax: 4, seed: 3, { 4 * (1 - $0 / 4) * (1 - $0 / 4) }, slope: { -2 * (1 - $0 / 4) })
    var trajectory = Trajectory(typeNames: ["A", "B"], frames: fluid.frames)
    for k in trajectory.frames.indices { for i in 0..<12 { trajectory.frames[k].types[i] = 1 } }
    return trajectory
  }()

  private static func settings(_ objective: TrainingObjective, triplets: Bool) -> FitSettings {
    var settings = Samples.settings(rMax: 4.5, spacing: 0.5)
    settings.objective = objective
    settings.triplets = triplets ? TripletSettings() : nil
    settings.triplets?.intervals = 4
    return settings
  }

  private static func learn(
    _ settings: FitSettings, _ ranks: Ranks
  ) throws -> (coefficients: [Double], candidates: [LinearFit.Candidate]) {
    var settings = settings
    settings.ranks = ranks
    let fit = try LinearFit(settings, temperature: 300)
    let result = try fit.run(try fit.withoutTraps(fluid))
    let grade = try ExtrapolationGrade(
      of: fluid, terms: result.terms(), threads: 1, ranks: ranks)
    return (
      result.coefficients + result.smallestDistances + grade.means + grade.whitening + grade.closest,
      result.candidates
    )
  }

  @Test(arguments: [2, 3], [(TrainingObjective.denoising, false), (.denoising, true), (.mixed, true)])
  func potentialsAreThoseOfOneProcess(_ count: Int, _ kind: (TrainingObjective, Bool)) throws {
    let settings = Self.settings(kind.0, triplets: kind.1)
    let alone = try Self.learn(settings, .one)
    for result in try LocalRanks.run(count, { try Self.learn(settings, $0) }) {
      let learned = try result.get()
      #expect(learned.coefficients == alone.coefficients)
      #expect(learned.candidates == alone.candidates)
    }
  }

  /// Parameters after a few steps of a small network and of its refinement.
  private static func network(_ ranks: Ranks) throws -> [Double] {
    var (network, pair) = (NetworkSettings(), Self.settings(.denoising, triplets: false))
    (network.features, network.layers, network.lMax, network.radialWidth, network.rMax) = (2, 2, 1, 3, 4)
    (network.steps, network.validationInterval, network.batchSize) = (6, 2, 2)
    pair.ranks = ranks
    let fit = try LinearFit(pair, temperature: 300).run(fluid)
    let trainer = try NetworkTrainer(network, fit, pair, trajectory: fluid, temperature: 300)
    while !trainer.isFinished { _ = try trainer.advance() }
    var effort = LikelihoodRefinement.Effort()
    (effort.chainAtoms, effort.stride, effort.measuringSteps, effort.settlingSteps) = (60, 3, 4, 1)
    let refinement = try LikelihoodRefinement(
      fit, trainer, trajectory: fluid, steps: 3, seed: 1, threads: 1, ranks: ranks, effort)
    while !refinement.isFinished { _ = try refinement.advance() }
    return try trainer.bestParameters + refinement.result().network!.parameters
  }

  @Test(arguments: [2, 3])
  func networksAreThoseOfOneProcessToRounding(_ count: Int) throws {
    let alone = try Self.network(.one)
    let learned = try LocalRanks.run(count) { try Self.network($0) }.map { try $0.get() }
    for parameters in learned {
      #expect(parameters == learned[0])
      #expect(parameters.count == alone.count)
      // Sums of gradients are rounded to single precision.
      #expect(zip(parameters, alone).allSatisfy { abs($0 - $1) < 1e-4 })
    }
  }

  /// A rank that fails ends all, wherever they are, with its reason.
  @Test(arguments: [0, 1, 2])
  func aFailureEndsAllRanks(_ failing: Int) throws {
    let ends = try LocalRanks.run(3) { ranks -> RankFailure? in
      do {
        _ = try ranks.map(6, threads: 2) { item -> Double in
          if item == failing { throw DiffNNPError("item \(item) is bad") }
          return 1
        }
        return ranks.finish(nil)
      } catch let error as DiffNNPError {
        return ranks.finish(RankFailure(error.message, exitCode: 3))
      } catch { return ranks.finish(error as? RankFailure) }
    }
    for end in ends {
      let failure = try #require(try end.get())
      #expect(failure.message == "item \(failing) is bad" && failure.exitCode == 3)
    }
  }

  @Test func allRanksFinish() throws {
    for end in try LocalRanks.run(2, { $0.finish(nil) }) { #expect(try end.get() == nil) }
    #expect(Ranks.one.finish(RankFailure("bad", exitCode: 2)) == RankFailure("bad", exitCode: 2))
  }

  /// Signs of zeros, infinities and what is no number travel as they are.
  @Test func numbersTravelBitByBit() throws {
    let numbers = [0.0, -0.0, .infinity, -.infinity, .nan, .leastNonzeroMagnitude, .pi]
    for result in try LocalRanks.run(
      2,
      { ranks in
        try ranks.map(3, threads: 1) { item in item == 1 ? [] : numbers }
      })
    {
      let received = try result.get()
      #expect(received.map { $0.map(\.bitPattern) } == [numbers, [], numbers].map { $0.map(\.bitPattern) })
    }
  }
}
