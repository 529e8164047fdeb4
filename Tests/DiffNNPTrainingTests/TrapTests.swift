import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// Frames in which a pair fell into a hole.
@Suite struct TrapTests {
  /// A fluid of soft spheres that touch at 3 Å, with one pair at 1.2 Å in the frames named.
  private func fluid(_ count: Int, trappedIn trapped: [Int]) throws -> Trajectory {
    var trajectory = try Samples.fluid(count, atoms: 64, edge: 16, rMax: 7, seed: 3) { pow(3.2 / $0, 12) }
    for k in trapped {
      trajectory.frames[k].positions[1] = trajectory.frames[k].positions[0] + [1.2, 0, 0]
    }
    return trajectory
  }

  @Test func trappedFramesAreLeftOut() throws {
    let trajectory = try fluid(40, trappedIn: [7, 31])
    let fit = try LinearFit(FitSettings(), temperature: 300)
    let kept = try fit.withoutTraps(trajectory)
    #expect(kept.frames.count == 38)
    #expect(kept.frames[7].positions == trajectory.frames[8].positions)
  }

  /// Contacts behind a barrier, more than an Å apart from all else and few, are no trap.
  @Test func rareContactsStay() throws {
    var trajectory = try fluid(40, trappedIn: [])
    let smallest = try fit(trajectory).smallestDistances[0]
    trajectory.frames[7].positions[1] = trajectory.frames[7].positions[0] + [smallest - 1.2, 0, 0]
    #expect(try LinearFit(FitSettings(), temperature: 300).withoutTraps(trajectory).frames.count == 40)
  }

  @Test func manyAreNoAccident() throws {
    let trajectory = try fluid(40, trappedIn: [1, 4, 9, 20, 35])
    #expect(try LinearFit(FitSettings(), temperature: 300).withoutTraps(trajectory).frames.count == 40)
  }

  private func fit(_ trajectory: Trajectory) throws -> LinearFit.Result {
    try LinearFit(FitSettings(), temperature: 300).run(trajectory)
  }
}
