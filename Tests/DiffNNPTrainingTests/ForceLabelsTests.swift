import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

@Suite struct ForceLabelsTests {
  static let basis = LinearBasis(pairs: PairStatisticsTests.basis)
  static let none = Array(repeating: 0.0, count: basis.count)

  private func forms(_ frames: [Frame], about c: [Double] = none) throws -> ForceForms {
    try ForceLabels(
      basis: Self.basis, frames: frames, blocks: TimeBlocks(frameCount: 2, blockCount: 2), thermalEnergy: 1, threads: 2
    ).forms(about: c)
  }

  @Test func formsAgreeWithTheirDefinition() throws {
    let frames = try PairStatisticsTests.frames()
    let forms = try forms(frames)
    for (f, frame) in frames.enumerated() {
      let gradients = try PairStatisticsTests.gradients(frame)
      for type in 0..<2 {
        let own = frame.positions.indices.filter { frame.types[$0] == type }.flatMap { 3 * $0..<3 * $0 + 3 }
        let g = gradients.flatMap { a in gradients.map { b in own.reduce(0) { $0 + a[$1] * b[$1] } } }
        let h = gradients.map { a in -own.reduce(0) { $0 + a[$1] * frame.positions[$1 / 3][$1 % 3] } }
        PairStatisticsTests.expectEqual(forms.forms[type][f].matrix, g, 1e-10)
        PairStatisticsTests.expectEqual(forms.forms[type][f].vector, h, 1e-10)
        #expect(forms.counts[type][f] == own.count)
      }
    }
  }

  /// A label that no potential explains counts as little as one that is not there; all others count.
  @Test func labelsFarFromAllOthersAreLeftOut() throws {
    let c = Self.none.indices.map { 0.1 * Double($0 % 7) }
    var frames = try PairStatisticsTests.frames(40)
    var random = Philox(seed: 5, purpose: .network, frame: 0)
    let calculator = Calculator(
      try Potential(typeNames: ["A", "B"], energyScale: 1, pair: Self.basis.pairs.pairTerm(c), network: nil), .double)
    for f in frames.indices {
      frames[f].forces = try calculator.compute(frames[f].configuration).forces.map { $0 + 3 * random.normal3() }
    }
    let clean = try forms(frames, about: c)
    #expect(clean.counts.joined().reduce(0, +) == 2 * 3 * 40)
    for variance in clean.variances(about: c) { #expect(abs(variance - 9) < 3) }
    frames[1].forces![6] += SIMD3(500, -300, 0)
    let mended = try forms(frames, about: c)
    #expect(mended.counts[0][1] == clean.counts[0][1] - 3)
    #expect(mended.squares[0][1] < clean.squares[0][1])
    #expect(mended.forms[0][0] == clean.forms[0][0])
    #expect(mended.forms[1] == clean.forms[1])
  }
}
