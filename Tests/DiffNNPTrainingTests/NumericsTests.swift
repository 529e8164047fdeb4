import DiffNNP
import Testing

@testable import DiffNNPTraining

@Suite struct NumericsTests {
  @Test func blocksAreContiguousAndCoverAllFrames() throws {
    for (frames, blocks) in [(5, 5), (103, 5), (3, 5), (2, 2)] {
      let ranges = try TimeBlocks(frameCount: frames, blockCount: blocks).ranges
      #expect(ranges.first?.lowerBound == 0 && ranges.last?.upperBound == frames)
      for (a, b) in zip(ranges, ranges.dropFirst()) { #expect(a.upperBound == b.lowerBound) }
      #expect(ranges.allSatisfy { !$0.isEmpty && abs($0.count - frames / ranges.count) <= 1 })
    }
    #expect(throws: DiffNNPError.self) { try TimeBlocks(frameCount: 1, blockCount: 5) }
  }

  @Test func workIsReturnedInOrder() throws {
    #expect(try Parallel.map(100, threads: 3) { $0 * $0 } == (0..<100).map { $0 * $0 })
    #expect(try Parallel.map(0, threads: 2) { $0 }.isEmpty)
    let error = #expect(throws: DiffNNPError.self) {
      try Parallel.map(10, threads: 2) { if $0 > 3 { throw DiffNNPError("item \($0)") } }
    }
    #expect(error?.message == "item 4")
  }

  @Test(arguments: [1, 7, 48, 131]) func minimiserSolvesTheEquations(_ n: Int) throws {
    var random = Philox(seed: 5, purpose: .noise, frame: n)
    var form = QuadraticForm(count: n)
    for _ in 0..<2 * n {
      let row = (0..<n).map { _ in random.normal() }
      for k in 0..<n { for l in 0..<n { form.matrix[k * n + l] += row[k] * row[l] } }
    }
    form.vector = (0..<n).map { _ in random.normal() }
    let c = try form.minimiser()
    for (left, right) in zip(form.product(c), form.vector) { #expect(abs(left - right) < 1e-7) }
    #expect(abs(form.value(c) + 0.5 * zip(c, form.vector).reduce(0) { $0 + $1.0 * $1.1 }) < 1e-7)
  }
}
