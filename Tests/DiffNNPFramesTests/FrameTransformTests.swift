import DiffNNP
import DiffNNPFrames
import Testing

@Suite struct FrameTransformTests {
  private func frame() throws -> Frame {
    Frame(
      cell: try Cell(vectors: [[4, 0, 0], [1, 5, 0], [0, 1, 6]]), positions: [[0, 0, 0], [1, 2, 3]], types: [0, 1],
      forces: [[1, 0, 0], [0, 1, 0]])
  }

  @Test func copiesFillTheLargerCell() throws {
    let large = try frame().replicated(2)
    #expect(large.positions.count == 16 && large.types.filter { $0 == 1 }.count == 8)
    #expect(abs(large.cell.volume - 8 * 120) < 1e-9)
    #expect(large.positions[3] == [5, 2, 3] && large.forces?[3] == [0, 1, 0])
    // All copies are apart, and inside.
    #expect(Set(large.positions.map { "\(large.cell.fractional($0))" }).count == 16)
    #expect(large.positions.allSatisfy { x in large.cell.fractional(x).max() < 1 })
  }

  @Test func compressionScalesDensityAlone() throws {
    let dense = try frame().compressed(1.331)
    #expect(abs(dense.cell.volume - 120 / 1.331) < 1e-9)
    #expect(length(dense.positions[1] - [1, 2, 3] / 1.1) < 1e-12)
    #expect(dense.forces == nil)
  }
}
