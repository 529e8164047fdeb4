import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPAnalysis

@Suite struct TetrahedralOrderTests {
  /// Every atom of diamond has its four neighbours at the corners of a regular tetrahedron.
  @Test func diamondIsOne() throws {
    let n = 2
    let corners: [SIMD3<Double>] = [[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]]
    let basis = corners + corners.map { $0 + 1 }
    var positions: [SIMD3<Double>] = []
    for k in 0..<n * n * n {
      let origin = 4 * SIMD3(Double(k % n), Double(k / n % n), Double(k / n / n))
      positions += basis.map { origin + $0 }
    }
    let frame = Frame(
      cell: try Cell(orthogonal: [8, 8, 8]), positions: positions, types: positions.map { _ in 0 })
    let order = try TetrahedralOrder.mean([Trajectory(typeNames: ["C"], frames: [frame, frame])])
    #expect(abs(order.mean - 1) < 1e-12)
  }

  /// In an ideal gas cosines are uniform: E(cos ψ + ⅓)² = 4/9, and six of them make q = 0 on average.
  @Test func idealGasIsZero() throws {
    let (mean, error) = try TetrahedralOrder.mean([TestTrajectories.idealGas(frameCount: 400, seed: 3)])
    #expect(abs(mean) < 4 * error && error < 0.02)
  }

  /// The mean is over atoms: a frame of four times as many counts four times.
  @Test func framesCountByTheirAtoms() throws {
    let gas = try TestTrajectories.idealGas(frameCount: 2, seed: 5).frames
    let (small, large) = (gas[0], try gas[1].replicated(2))
    func mean(_ frames: [Frame]) throws -> Double {
      try TetrahedralOrder.mean([Trajectory(typeNames: ["A", "B"], frames: frames)]).mean
    }
    let expected = (try mean([small]) + 8 * mean([large])) / 9
    #expect(abs(try mean([small, large]) - expected) < 1e-12)
  }

  @Test func fourAtomsAreTooFew() throws {
    let frame = Frame(
      cell: try Cell(orthogonal: [8, 8, 8]), positions: [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]],
      types: [0, 0, 0, 0], number: 7)
    let error = #expect(throws: DiffNNPError.self) {
      try TetrahedralOrder.mean([Trajectory(typeNames: ["O"], frames: [frame])])
    }
    #expect(error?.message == "frame 7: 4 atoms; the tetrahedral order of an atom needs 4 others")
  }
}
