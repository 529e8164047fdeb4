import Testing

@testable import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct ThreadTests {
  /// Far more atoms than a thread or a block has.
  @Test(arguments: SamplePotential.all)
  func numberDoesNotMatter(_ sample: SamplePotential) throws {
    let configuration = try Configuration.solid(7)
    let evaluator = Evaluator(sample.potential, precision: .double)
    let alone = try evaluator.evaluate(configuration)
    for threads in [2, 3, 5, 1] {
      evaluator.threads = threads
      let together = try evaluator.evaluate(configuration)
      #expect(together.atomEnergies == alone.atomEnergies && together.energy == alone.energy)
      let tolerance = 1e-13 * alone.largestForce
      for (a, b) in zip(together.forces, alone.forces) { #expect(length(a - b) < tolerance) }
      let virials = zip(
        [together.virial] + together.atomVirials + together.centroidVirials,
        [alone.virial] + alone.atomVirials + alone.centroidVirials)
      for (a, b) in virials { for (x, y) in zip(a, b) { #expect(abs(x - y) < 1e3 * tolerance) } }
      // The sums are made in one order, whichever thread is first.
      #expect(try evaluator.evaluate(configuration).forces == together.forces)
    }
  }

  /// Forces that stay with the centres, as a code without owners of its ghosts wants them.
  @Test func numberDoesNotMatterToFoldedForces() throws {
    let pair = try #require(SamplePotential.all.first { !$0.potential.isManyBody }).potential
    let (evaluator, edges) = (Evaluator(pair), EdgeList())
    try NeighbourSearch().fill(edges, .solid(7), cutoff: pair.rMax)
    func results(threads: Int) -> [Double] {
      evaluator.threads = threads
      var results = [Double](repeating: .nan, count: 3 * edges.atomCount + 6)
      results.withUnsafeMutableBufferPointer {
        _ = evaluator.compute(
          edges, folding: .centres, into: .init(forces: $0.baseAddress!, virial: $0.baseAddress! + 3 * edges.atomCount))
      }
      return results
    }
    let (alone, together) = (results(threads: 1), results(threads: 3))
    let tolerance = 1e-12 * (alone.map(abs).max() ?? 0)
    #expect(zip(alone, together).allSatisfy { abs($0 - $1) < tolerance })
  }

  private final class Tally: SharedWork {
    private(set) var calls: [Int]
    private let isSlow: (Int) -> Bool

    init(count: Int, isSlow: @escaping (Int) -> Bool) {
      calls = Array(repeating: 0, count: count)
      self.isSlow = isSlow
    }

    func perform(share: Int) {
      if isSlow(share) { usleep(300) }
      calls.withUnsafeMutableBufferPointer { $0[share] += 1 }
    }
  }

  /// Whether threads still look for work, or sleep already: those that wait for a call, and the one that waits for them.
  @Test(arguments: [0, 300])
  func allSharesAreDoneAtEachCall(pause: UInt32) {
    let team = ThreadTeam(count: 4)
    let tallies = [
      Tally(count: team.count) { _ in false }, Tally(count: team.count) { $0 == 0 },
      Tally(count: team.count) { $0 == team.count - 1 },
    ]
    for call in 1...300 {
      for tally in tallies {
        usleep(pause)
        team.run(tally)
        #expect(tally.calls == Array(repeating: call, count: team.count))
      }
    }
  }
}
