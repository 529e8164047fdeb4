import DiffNNP

/// The atoms near one atom, laid out so that those within some distance of a point are found eight at a time.
final class NearbyAtoms {
  private typealias Lanes = SIMD8<Double>
  private var count = 0
  /// Vectors from the atom's own position (Å), and the edges that they come from.
  private let (x, y, z) = (Values<Double>(), Values<Double>(), Values<Double>())
  private let edges = Values<Int32>()
  private let squares = Values<Double>()
  private let foundEdges = Values<Int32>()
  private let foundDistances = Values<Double>()

  /// Stores the edges of atom i that are shorter than `distance` (Å), without those to its own images, which move with
  /// it.
  func gather(_ i: Int, _ list: EdgeList, within distance: Double) {
    let range = Int(list.offsets[i])..<Int(list.offsets[i + 1])
    let room = range.count + Lanes.scalarCount
    for values in [x, y, z, squares, foundDistances] { values.reserve(room) }
    for values in [edges, foundEdges] { values.reserve(room) }
    count = 0
    for e in range where list.lengths[e] < distance && list.neighbours[e] != Int32(i) {
      let vector = list.vectors[e]
      (x.start[count], y.start[count], z.start[count]) = (vector.x, vector.y, vector.z)
      edges.start[count] = Int32(e)
      count += 1
    }
  }

  /// The edges, and distances (Å), of all atoms that are closer than `rMax` to a point given relative to the atom's own
  /// position; valid until the next call.
  func find(
    within rMax: Double, of point: SIMD3<Double>
  ) -> (count: Int, edges: UnsafeMutablePointer<Int32>, distances: UnsafeMutablePointer<Double>) {
    let (squares, edges, foundEdges, found) = (squares.start, edges.start, foundEdges.start, foundDistances.start)
    for k in stride(from: 0, to: count, by: Lanes.scalarCount) {
      let (dx, dy, dz) = (lanes(x.start + k) - point.x, lanes(y.start + k) - point.y, lanes(z.start + k) - point.z)
      store(dx * dx + dy * dy + dz * dz, to: squares + k)
    }
    let limit = rMax * rMax
    var n = 0
    // Written in any case, and kept where near: no branch to be guessed.
    for k in 0..<count {
      (foundEdges[n], found[n]) = (edges[k], squares[k])
      n += squares[k] < limit ? 1 : 0
    }
    for k in stride(from: 0, to: n, by: Lanes.scalarCount) { store(lanes(found + k).squareRoot(), to: found + k) }
    return (n, foundEdges, found)
  }

  @inline(__always)
  private func lanes(_ from: UnsafeMutablePointer<Double>) -> Lanes {
    UnsafeRawPointer(from).loadUnaligned(as: Lanes.self)
  }

  @inline(__always)
  private func store(_ values: Lanes, to: UnsafeMutablePointer<Double>) {
    UnsafeMutableRawPointer(to).storeBytes(of: values, as: Lanes.self)
  }
}
