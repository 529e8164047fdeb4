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

  private struct Chain: Summable {
    var items: [Int]
    mutating func add(_ other: Chain) { items += other.items }
  }

  /// Results are added in order, by any number of threads, and the first error is the one that counts.
  @Test(arguments: [1, 2, 5]) func sumsAreThoseInOrder(threads: Int) throws {
    let sums = try Parallel.sums(groups: 3, parts: 4, threads: threads) { item in
      // The first parts of each group take longest.
      var x = 0.0
      for k in 0..<(4 - item % 4) * 100_000 { x += Double(k).squareRoot() }
      return Chain(items: [x >= 0 ? item : -1])
    }
    #expect(sums.map(\.items) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
    let error = #expect(throws: DiffNNPError.self) {
      _ = try Parallel.sums(groups: 2, parts: 3, threads: threads) { item in
        if item == 1 || item == 4 { throw DiffNNPError("item \(item)") }
        return Chain(items: [item])
      }
    }
    #expect(error.map { "\($0)" } == "item 1")
  }

  @Test func matricesThatDoNotFitAreRefused() throws {
    func check(_ available: Int?) throws {
      try MatrixMemory.check(
        functions: 1000, "the sum", objectives: 1, blocks: 5, threads: 2, available: available)
    }
    try check(nil)
    try check(12 * 8_000_000)
    let error = try #require(throws: DiffNNPError.self) { try check(12 * 8_000_000 - 1) }
    #expect("\(error)".contains("1000 functions (the sum) need 12 matrices"), "\(error)")
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
