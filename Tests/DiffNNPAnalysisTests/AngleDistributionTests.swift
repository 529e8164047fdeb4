import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPAnalysis

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct AngleDistributionTests {
  /// Divergences between seeds 1 and 2 of `TestTrajectories.random`, and mean angles of seed 1 (degrees), legs below 4.5 Å:
  /// from the independent program in NumPy that `RadialDistributionTests` compares with.
  @Test func agreesWithNumPy() throws {
    let a = try AngleDistribution(TestTrajectories.random(seed: 1), radius: 4.5)
    let b = try AngleDistribution(TestTrajectories.random(seed: 2), radius: 4.5)
    #expect(a.triples.map { $0.label(a.typeNames) } == ["A-A-A", "B-A-B", "A-B-A", "B-B-B"])
    let divergences = [0.12235515471239046, 0.055461124826322275, 0.051092095158889995, 0.023832926778079966]
    let means = [85.98739495798318, 91.69732441471571, 92.77227722772278, 91.73529411764706]
    for (k, d) in try a.divergence(from: b).enumerated() {
      #expect(abs(d - divergences[k]) < 1e-12)
      #expect(abs(zip(a.probabilities[k], a.angles).reduce(0) { $0 + $1.0 * $1.1 } - means[k]) < 1e-9)
    }
  }

  /// Each atom of a face-centred cubic crystal has 66 pairs of nearest neighbours: 24 at 60°, 12 at 90°, 24 at 120°, 6 at 180°.
  @Test func crystalAngles() throws {
    // Bins of 36° keep every angle away from a bin's edge.
    let a = try AngleDistribution(TestTrajectories.faceCentredCubic(repeats: 4), radius: 1.1, binCount: 5)
    for (found, count) in zip(a.probabilities[0], [0.0, 24, 12, 24, 6]) { #expect(abs(found - count / 66) < 1e-12) }
  }

  @Test func mixedLegsCountOnce() throws {
    let cell = try Cell(orthogonal: [20, 20, 20])
    let frame = Frame(cell: cell, positions: [[1, 1, 1], [2, 1, 1], [1, 2, 1], [0, 1, 1]], types: [0, 0, 1, 1])
    let trajectory = Trajectory(typeNames: ["A", "B"], frames: [frame])
    let a = try AngleDistribution(trajectory, radius: 1.2, triples: [TypeTriple(1, 0, 0)], binCount: 9)
    #expect(a.probabilities[0] == [0, 0, 0, 0, 0.5, 0, 0, 0, 0.5])
  }

  @Test func divergenceIsZeroForEqualAndLogTwoForDisjoint() {
    #expect(jensenShannonDivergence([0.25, 0.75, 0], [0.25, 0.75, 0]) == 0)
    #expect(abs(jensenShannonDivergence([1, 0], [0, 1]) - log(2)) < 1e-15)
  }
}
