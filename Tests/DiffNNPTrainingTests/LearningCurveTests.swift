import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

@Suite struct LearningCurveTests {
  /// Frames of a fluid whose pair potential is known.
  private func trajectory(_ count: Int) -> Trajectory {
    let fluid = LikelihoodRefinementTests.data
    return Trajectory(typeNames: fluid.typeNames, frames: Array(fluid.frames[..<count]))
  }

  private var settings: FitSettings {
    Samples.settings(rMax: 4.5, spacing: 0.25)
  }

  @Test func halvesFramesAndJudgesAllOnTheLastBlock() throws {
    let points = try LearningCurve(settings, temperature: 300).run(trajectory(100))
    #expect(points.map(\.frameCount) == [80, 40, 20, 10])
    #expect(points.map(\.subsetCount) == [1, 2, 4, 4])
    #expect(points.allSatisfy { $0.objectives.count == 20 && $0.objectives.allSatisfy(\.isFinite) })
    func mean(_ k: Int) -> Double { points[k].objectives.reduce(0, +) / 20 }
    #expect(mean(0) < mean(3))
    #expect(throws: DiffNNPError.self) { try LearningCurve(settings, temperature: 300).run(trajectory(20)) }
  }

  @Test func findsTheLaw() throws {
    let law = LearningLaw([80, 40, 20, 10].map { ($0, -5 + 3 / Double($0)) })
    #expect(abs(law.limit + 5) < 1e-12 && abs(law.slope - 3) < 1e-11)
    // ⟨δs²⟩ = 2·3/60 and ⟨s²⟩ = 2·5.
    #expect(abs(try #require(law.relativeForceError(frameCount: 60)) - 0.1) < 1e-12)
    #expect(abs(try #require(law.frameCount(relativeForceError: 0.1)) - 60) < 1e-9)
    #expect(LearningLaw([(80, -5), (40, -6)]).relativeForceError(frameCount: 80) == nil)
  }
}
