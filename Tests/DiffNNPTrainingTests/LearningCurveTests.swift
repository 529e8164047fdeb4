import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

@Suite struct LearningCurveTests {
  /// Jittered crystals of eight atoms.
  private func trajectory(_ count: Int) throws -> Trajectory {
    let cell = try Cell(orthogonal: [6, 6, 6])
    var random = Philox(seed: 7, purpose: .noise, frame: 0)
    let frames = (0..<count).map { _ -> Frame in
      let positions = (0..<8).map { (site: Int) -> SIMD3<Double> in
        let corner = SIMD3(Double(site & 1), Double((site >> 1) & 1), Double(site >> 2))
        return 3 * corner + 0.3 * random.normal3()
      }
      return Frame(cell: cell, positions: positions, types: Array(repeating: 0, count: 8))
    }
    return Trajectory(typeNames: ["A"], frames: frames)
  }

  private var settings: PairFit.Settings {
    var settings = PairFit.Settings()
    (settings.rMax, settings.spacing, settings.usesLikelihood) = (3.5, 0.25, false)
    return settings
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
