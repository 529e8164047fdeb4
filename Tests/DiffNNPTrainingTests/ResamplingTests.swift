import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

@Suite struct ResamplingTests {
  static func numbered(_ count: Int) throws -> Trajectory {
    var trajectory = try Samples.dimers(count, seed: 1) { _ in 0 }
    for k in 0..<count { trajectory.frames[k].number = k }
    return trajectory
  }

  @Test(arguments: [2, 7, 100, 333])
  func keepsBlocksApart(_ count: Int) throws {
    let trajectory = try Self.numbered(count)
    let blocks = try TimeBlocks(frameCount: count, blockCount: 5)
    for seed in 1...5 as ClosedRange<UInt64> {
      let numbers = try trajectory.resampled(blockCount: 5, seed: seed).frames.map(\.number)
      #expect(numbers.count == count)
      for block in blocks.ranges { #expect(numbers[block].allSatisfy { block.contains($0) }) }
    }
  }

  @Test func drawsAnew() throws {
    let trajectory = try Self.numbered(100)
    func numbers(_ seed: UInt64) throws -> [Int] {
      try trajectory.resampled(blockCount: 5, seed: seed).frames.map(\.number)
    }
    #expect(try numbers(1) == numbers(1))
    #expect(try numbers(1) != numbers(2))
    // Of frames drawn with replacement, 1 - 1/e remain.
    let kept = try (1...20).map { Double(Set(try numbers($0)).count) / 100 }.reduce(0, +) / 20
    #expect(0.55 < kept && kept < 0.75)
  }
}
