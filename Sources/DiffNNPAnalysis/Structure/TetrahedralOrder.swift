import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// The tetrahedral order parameter q of an atom and its four nearest neighbours (Errington & Debenedetti, Nature 409,
/// 318 (2001)): 1 in a regular tetrahedron, 0 on average in an ideal gas,
///
///     q = 1 - ⅜ Σ_{j<k} (cos ψ_jk + ⅓)²
public enum TetrahedralOrder {
  private static let neighbourCount = 4
  /// Neighbours are first looked for in a sphere that holds so many on average, then in larger ones.
  private static let expectedNeighbours = 20.0
  private static let growth = 1.3

  /// The mean of q over all atoms of all frames, and its standard error from blocks of time; types do not matter.
  /// - Throws: where a frame has fewer than five atoms, or its neighbours cannot be found.
  public static func mean(_ trajectories: [Trajectory]) throws -> (mean: Double, error: Double) {
    let (edges, search) = (EdgeList(), NeighbourSearch())
    let frames = trajectories.lazy.flatMap(\.frames)
    let (means, counts) = try frames.reduce(into: ([Double](), [Double]())) { series, frame in
      try naming("frame \(frame.number)") { try fill(edges, search, frame) }
      let count = Double(edges.centreCount)
      series.0.append((0..<edges.centreCount).reduce(0.0) { $0 + order(edges, centre: $1) } / count)
      series.1.append(count)
    }
    return BlockStatistics.mean(means, weights: counts)
  }

  /// Edges of a frame, at least four at each atom.
  private static func fill(_ edges: EdgeList, _ search: NeighbourSearch, _ frame: Frame) throws {
    let count = frame.positions.count
    guard count > neighbourCount else {
      throw DiffNNPError("\(count) atoms; the tetrahedral order of an atom needs \(neighbourCount) others")
    }
    guard frame.cell.periodic == [true, true, true] else {
      throw DiffNNPError("the tetrahedral order needs a cell that is periodic in all three directions")
    }
    var cutoff = cbrt(3 * expectedNeighbours * frame.cell.volume / (4 * .pi * Double(count)))
    while true {
      try search.fill(edges, frame.configuration, cutoff: cutoff)
      let isEnough = (0..<count).allSatisfy { Int(edges.offsets[$0 + 1] - edges.offsets[$0]) >= neighbourCount }
      if isEnough { return }
      cutoff *= growth
    }
  }

  private static func order(_ edges: EdgeList, centre: Int) -> Double {
    let all = Int(edges.offsets[centre])..<Int(edges.offsets[centre + 1])
    let nearest = all.sorted { edges.lengths[$0] < edges.lengths[$1] }.prefix(neighbourCount)
    let directions = nearest.map { edges.vectors[$0] / edges.lengths[$0] }
    var sum = 0.0
    for j in directions.indices {
      for k in directions.indices where k > j {
        let term = dot(directions[j], directions[k]) + 1.0 / 3
        sum += term * term
      }
    }
    return 1 - 0.375 * sum
  }
}
