import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

@Suite struct ForceLabelsTests {
  static let basis = PairScoresTests.basis
  static let none = Array(repeating: 0.0, count: basis.count)

  private func weighted(_ frames: [Frame], about c: [Double] = none) throws -> WeightedForces {
    try ForceLabels(
      model: LinearModel(Self.basis), frames: Frames(frames), blocks: TimeBlocks(frameCount: 2, blockCount: 2),
      typeCount: 2, thermalEnergy: 1, threads: 2
    ).weighted(about: c)
  }

  @Test func formsAgreeWithTheirDefinition() throws {
    let frames = try PairScoresTests.frames()
    let weighted = try weighted(frames)
    func labels(of type: Int, in frame: Frame) -> [Int] {
      frame.positions.indices.filter { frame.types[$0] == type }.flatMap { 3 * $0..<3 * $0 + 3 }
    }
    // Nothing is explained yet, so that variances are those of the labels.
    for type in 0..<2 {
      let squares = frames.flatMap { frame in
        labels(of: type, in: frame).map { frame.positions[$0 / 3][$0 % 3] * frame.positions[$0 / 3][$0 % 3] }
      }
      let expected = squares.reduce(0, +) / Double(squares.count)
      #expect(abs(weighted.variances[type] - expected) < 1e-12 * expected)
    }
    for (f, frame) in frames.enumerated() {
      let gradients = try PairScoresTests.gradients(frame)
      var (g, h) = (Array(repeating: 0.0, count: Self.basis.count * Self.basis.count), Self.none)
      for type in 0..<2 {
        let (own, weight) = (labels(of: type, in: frame), 1 / weighted.variances[type])
        for (k, a) in gradients.enumerated() {
          h[k] -= weight * own.reduce(0) { $0 + a[$1] * frame.positions[$1 / 3][$1 % 3] }
          for (l, b) in gradients.enumerated() {
            g[k * gradients.count + l] += weight * own.reduce(0) { $0 + a[$1] * b[$1] }
          }
        }
      }
      PairScoresTests.expectEqual(weighted.forms[f].matrix, g, 1e-10)
      PairScoresTests.expectEqual(weighted.forms[f].vector, h, 1e-10)
      #expect(weighted.counts[f] == frame.positions.count)
    }
  }

  /// A label that no potential explains counts as little as one that is not there; all others count.
  @Test func labelsFarFromAllOthersAreLeftOut() throws {
    let c = Self.none.indices.map { 0.1 * Double($0 % 7) }
    var frames = try PairScoresTests.frames(40)
    var random = Philox(seed: 5, purpose: .network, frame: 0)
    let calculator = Calculator(
      try Potential(typeNames: ["A", "B"], energyScale: 1, terms: [Self.basis.pairTerm(c)]), .double)
    for f in frames.indices {
      frames[f].forces = try calculator.compute(frames[f].configuration).forces.map { $0 + 3 * random.normal3() }
    }
    let clean = try weighted(frames, about: c)
    #expect(clean.counts.reduce(0, +) == 2 * 40)
    for variance in clean.variances { #expect(abs(variance - 9) < 3) }
    frames[1].forces![6] += SIMD3(500, -300, 0)
    let mended = try weighted(frames, about: c)
    #expect(mended.counts == [clean.counts[0], clean.counts[1] - 1])
    for (mended, clean) in zip(mended.variances, clean.variances) { #expect(abs(mended - clean) < 0.1 * clean) }
    for k in Self.none.indices {
      #expect(abs(mended.forms[1].vector[k] - clean.forms[1].vector[k]) < 0.2 * abs(clean.forms[1].vector[k]) + 1)
    }
  }
}
