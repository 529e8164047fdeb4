import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPAnalysis

/// What `validate` advises, for structures whose fault is known.
@Suite struct GuidanceTests {
  /// Crystals with thermal noise: each has the same structure as any other.
  private func crystals(_ count: Int, seed: UInt64) throws -> Trajectory {
    let crystal = try TestTrajectories.faceCentredCubic(repeats: 5)
    return noised(
      Trajectory(typeNames: ["A"], frames: Array(repeating: crystal.frames[0], count: count)), sigma: 0.03, seed: seed)
  }

  private func noised(_ trajectory: Trajectory, sigma: Double, seed: UInt64) -> Trajectory {
    Trajectory(typeNames: trajectory.typeNames, frames: Array(trajectory.noised(sigma: sigma, seed: seed)))
  }

  private func validation(
    _ frames: Trajectory, _ runs: Trajectory, noised: Trajectory? = nil, angles: Trajectory? = nil
  ) throws -> Validation {
    func g(_ trajectory: Trajectory) throws -> RadialDistribution { try .init(trajectory, rMax: 2.5, binWidth: 0.02) }
    var settings = Validation.Settings(launcher: "", potential: [], directory: "", temperature: 1, masses: [1])
    settings.rMax = 2.5
    settings.sigma = noised == nil ? 0 : 0.08
    return Validation(
      settings: settings, runs: [], frames: try g(frames), simulated: try g(runs), reference: nil,
      noised: try noised.map(g), angles: try angles.map { try AngleComparison([$0], frames, radius: 1.2) })
  }

  @Test func asksForMoreOfWhatIsScarce() throws {
    let (few, many) = (try crystals(20, seed: 1), try crystals(100, seed: 2))
    #expect(
      try validation(few, many, angles: many).guidance() == [
        "No difference is seen; only more frames would show smaller ones."
      ])
    #expect(
      try validation(many, few, angles: few).guidance() == [
        "No difference is seen; longer runs would show smaller ones."
      ])
  }

  @Test func knowsTheBiasOfNoise() throws {
    let frames = try crystals(50, seed: 1)
    let broad = noised(try crystals(50, seed: 2), sigma: 0.08, seed: 3)
    let advice = try validation(frames, broad, noised: noised(frames, sigma: 0.08, seed: 4)).guidance()
    #expect(advice.count == 1 && advice[0].hasPrefix("What differs is mostly the noise"), "\(advice)")
    // The same difference, where the potential belongs to no noise.
    #expect(try validation(frames, broad).guidance()[0].contains("learning-curve"))
  }

  @Test func pointsAtAngles() throws {
    let frames = try crystals(50, seed: 1)
    // An ideal gas about as dense as the crystal.
    let gas = try TestTrajectories.idealGas(frameCount: 50, seed: 2)
    let other = Trajectory(
      typeNames: ["A"],
      frames: try gas.frames.map { frame in
        Frame(
          cell: try Cell(vectors: frame.cell.vectors.map { 0.3 * $0 }), positions: frame.positions.map { 0.3 * $0 },
          types: frame.positions.map { _ in 0 })
      })
    let advice = try validation(frames, try crystals(50, seed: 3), angles: other).guidance()
    #expect(advice.count == 1 && advice[0].hasPrefix("The angles A-A-A differ"), "\(advice)")
  }

  /// Angles of a species that only the first frames have: what sampling leaves is judged among these frames.
  @Test func expectsNothingOfFramesWithoutTheSpecies() throws {
    let gas = try TestTrajectories.idealGas(frameCount: 40, seed: 8)
    func trajectory(_ frames: Range<Int>) -> Trajectory {
      Trajectory(
        typeNames: gas.typeNames,
        frames: gas.frames.enumerated().map { k, frame in
          var frame = frame
          if !frames.contains(k) { frame.types = frame.types.map { _ in 0 } }
          return frame
        })
    }
    let all = try AngleComparison([gas], gas, radius: 4)
    let some = try AngleComparison([trajectory(0..<10)], trajectory(0..<10), radius: 4)
    let t = 3
    #expect(all.labels[t] == "B-B-B" && some.divergences[t] == 0)
    #expect(some.expected[t] > 2 * all.expected[t] && some.expected[t] < 8 * all.expected[t])
    #expect(try AngleComparison([trajectory(0..<2)], gas, radius: 4).expected[t].isNaN)
  }

  /// Samples of one structure differ about as much as expected.
  @Test func expectsWhatSamplingLeaves() throws {
    let comparison = try AngleComparison([crystals(40, seed: 5)], crystals(40, seed: 6), radius: 1.2)
    #expect(comparison.divergences[0] < 4 * comparison.expected[0])
    #expect(comparison.divergences[0] > 0.25 * comparison.expected[0])
  }
}
