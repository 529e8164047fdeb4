import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

@Suite struct PairScoresTests {
  static let basis = PairBasis(typeCount: 2, rMax: 4, intervals: 6)

  /// Two frames of a few atoms in a cell smaller than twice the cutoff.
  static func frames(_ atoms: Int = 7) throws -> [Frame] {
    let cell = try Cell(vectors: [[7, 0, 0], [1, 6.5, 0], [-1, 0.5, 6]])
    return (0..<2).map { f in
      var random = Philox(seed: 11, purpose: .network, frame: f)
      let positions = (0..<atoms).map { _ in
        cell.cartesian([random.uniform(), random.uniform(), random.uniform()])
      }
      return Frame(cell: cell, positions: positions, types: (0..<atoms).map { $0 % 2 }, forces: positions)
    }
  }

  static func scores(_ frames: [Frame], known: (any KnownPart)? = nil) throws -> PairScores {
    try PairScores(
      Frames(frames), blocks: TimeBlocks(frameCount: 2, blockCount: 2), basis, known: known, threads: 2)
  }

  /// ∇φ_k of one configuration from the pair term itself.
  static func gradients(_ frame: Frame) throws -> [[Double]] {
    let edges = EdgeList()
    try NeighbourSearch().fill(edges, frame.configuration, cutoff: basis.rMax)
    return try (0..<basis.count).map { k in
      var c = Array(repeating: 0.0, count: basis.count)
      c[k] = 1
      let potential = try Potential(typeNames: ["A", "B"], energyScale: 1, terms: [basis.pairTerm(c)])
      var forces = Array(repeating: 0.0, count: 3 * frame.positions.count)
      forces.withUnsafeMutableBufferPointer {
        _ = Evaluator(potential, precision: .double).compute(edges, into: .init(forces: $0.baseAddress!))
      }
      return forces.map { -$0 }
    }
  }

  static func expectEqual(_ x: [Double], _ y: [Double], _ tolerance: Double) {
    #expect(x.count == y.count)
    let scale = y.map(abs).max() ?? 1
    for (a, b) in zip(x, y) { #expect(abs(a - b) <= tolerance * scale) }
  }

  // The sparse way of summing serves few neighbours, the dense way many.
  @Test(arguments: [7, 40]) func formsAgreeWithTheirDefinition(_ atoms: Int) throws {
    let frames = try Self.frames(atoms)
    let scores = try Self.scores(frames)
    for (f, frame) in frames.enumerated() {
      let gradients = try Self.gradients(frame)
      let g = gradients.flatMap { a in gradients.map { b in zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } } }
      Self.expectEqual(scores.forms[f].matrix, g, 1e-10)

      var laplacian = Array(repeating: 0.0, count: Self.basis.count)
      let step = 1e-4
      for i in 0..<atoms {
        for k in 0..<3 {
          var (low, high) = (frame, frame)
          low.positions[i][k] -= step
          high.positions[i][k] += step
          let (a, b) = (try Self.gradients(low), try Self.gradients(high))
          for n in laplacian.indices { laplacian[n] += (b[n][3 * i + k] - a[n][3 * i + k]) / (2 * step) }
        }
      }
      Self.expectEqual(scores.forms[f].vector, laplacian, 1e-5)
    }
  }

  /// Only many distances beside a gap show that it is one: a few frames have gaps by chance.
  @Test(arguments: [(repeats: 30, connected: 2.6), (repeats: 1, connected: 1.0)])
  func distancesBeyondAGapAreOutliers(_ data: (repeats: Int, connected: Double)) throws {
    let cell = try Cell(orthogonal: [20, 20, 20])
    let frames = (0..<data.repeats).flatMap { _ in [1.0, 2.6, 3.1, 3.8] }.map {
      Frame(cell: cell, positions: [[0, 0, 0], [$0, 0, 0]], types: [0, 0])
    }
    let scores = try PairScores(
      Frames(frames), blocks: TimeBlocks(frameCount: frames.count, blockCount: 2),
      PairBasis(typeCount: 1, rMax: 5, intervals: 10), threads: 1)
    #expect(abs(scores.smallestDistances[0] - 1) < 1e-9)
    #expect(abs(scores.connectedDistances[0] - data.connected) < 0.01)
  }
}
