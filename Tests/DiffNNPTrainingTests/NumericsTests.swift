import DiffNNP
import Testing

@testable import DiffNNPTraining

@Suite struct NumericsTests {
  /// Known answers of the Random123 library for philox4x32, 10 rounds.
  @Test func philoxAgreesWithItsReference() {
    #expect(Philox.rounds(.zero, .zero) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
    let ones = SIMD4<UInt32>(repeating: .max)
    #expect(Philox.rounds(ones, [.max, .max]) == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
  }

  @Test func streamsAreReproducibleAndDistinct() {
    var first = Philox(seed: 7, purpose: .noise, frame: 3, stream: 2)
    var same = Philox(seed: 7, purpose: .noise, frame: 3, stream: 2)
    var others = [
      Philox(seed: 8, purpose: .noise, frame: 3, stream: 2), Philox(seed: 7, purpose: .candidates, frame: 3, stream: 2),
      Philox(seed: 7, purpose: .noise, frame: 4, stream: 2), Philox(seed: 7, purpose: .noise, frame: 3, stream: 1),
    ]
    for _ in 0..<5 {
      let value = first.next()
      #expect(value == same.next())
      for k in others.indices { #expect(value != others[k].next()) }
    }
  }

  @Test func normalsHaveUnitVariance() {
    var random = Philox(seed: 1, purpose: .noise, frame: 0)
    let values = (0..<20_000).map { _ in random.normal() }
    let mean = values.reduce(0, +) / 20_000
    let variance = values.reduce(0) { $0 + $1 * $1 } / 20_000
    #expect(abs(mean) < 0.03)
    #expect(abs(variance - 1) < 0.05)
  }

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
