import DiffNNP
import DiffNNPFrames

extension LinearFit {
  /// Largest fraction of frames that may be left out: where more frames lie beyond a gap in the distances, the gap
  /// belongs to the system.
  private static let largestTrappedFraction = 0.05
  /// Number of work items that the frames are split into.
  private static let trapItemCount = 16

  /// The frames without those in which a pair is closer than a gap in the distribution of distances allows
  /// (`DistanceHistograms.smallestConnected`): such a pair fell into an unphysical well, or is an error. The data do
  /// not determine its energy relative to the others, yet its forces would outweigh all theirs. Where such frames are
  /// many, all are kept.
  /// - Throws: what `check` throws.
  public func withoutTraps(_ trajectory: Trajectory) throws -> Trajectory {
    let basis = try prepare(trajectory).basis
    let itemCount = Self.trapItemCount
    let counted = try settings.ranks.map(itemCount, threads: settings.threads) { item in
      var distances = DistanceHistograms(basis)
      let (edges, search) = (EdgeList(), NeighbourSearch())
      for k in stride(from: item, to: trajectory.frames.count, by: itemCount) {
        try search.fill(edges, trajectory.frames.frame(at: k).configuration, cutoff: basis.rMax)
        distances.add(edges)
      }
      return distances.counts
    }
    let smallest = DistanceHistograms.smallestConnected(counted.map { DistanceHistograms(basis, counts: $0) })
    let largest = smallest.filter(\.isFinite).max() ?? basis.rMax
    let kept = try settings.ranks.map(itemCount, threads: settings.threads) { item in
      let (edges, search) = (EdgeList(), NeighbourSearch())
      return try stride(from: item, to: trajectory.frames.count, by: itemCount).filter { k in
        try search.fill(edges, trajectory.frames.frame(at: k).configuration, cutoff: largest)
        return !Self.hasPair(edges, closerThan: smallest, basis)
      }
    }.flatMap { $0 }.sorted()
    let trapped = trajectory.frames.count - kept.count
    guard Double(trapped) <= Self.largestTrappedFraction * Double(trajectory.frames.count) else { return trajectory }
    return Trajectory(typeNames: trajectory.typeNames, frames: trajectory.frames.at(kept))
  }

  private static func hasPair(_ edges: EdgeList, closerThan smallest: [Double], _ basis: PairBasis) -> Bool {
    for i in 0..<edges.centreCount {
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where Int(edges.neighbours[e]) != i {
        let pair = basis.pair(i, e, edges)
        if smallest[pair].isFinite, edges.lengths[e] < smallest[pair] { return true }
      }
    }
    return false
  }
}
