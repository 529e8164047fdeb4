import DiffNNP

/// The atoms near one atom, laid out so that those within some distance of a point are found eight at a time.
package final class NearbyAtoms {
  /// Atoms found near a point; valid until the next search.
  package struct Found {
    /// Number of atoms found.
    package let count: Int
    /// The `edges` to these atoms, and their `distances` from the point (Å).
    package let edges: UnsafeMutablePointer<Int32>
    package let distances: UnsafeMutablePointer<Double>
  }

  private typealias Lanes = SIMD8<Double>
  private var count = 0
  /// Vectors from the atom's own position (Å), and the edges that they come from.
  private var x = Buffer<Double>()
  private var y = Buffer<Double>()
  private var z = Buffer<Double>()
  private var edges = Buffer<Int32>()
  private var squares = Buffer<Double>()
  private var foundEdges = Buffer<Int32>()
  private var foundDistances = Buffer<Double>()

  /// Stores the edges of atom i that are shorter than `distance` (Å), without those to its own images, which move with
  /// it.
  func gather(_ i: Int, _ list: EdgeList, within distance: Double) {
    let range = Int(list.offsets[i])..<Int(list.offsets[i + 1])
    let capacity = range.count + Lanes.scalarCount
    let (x, y, z) = (x.reserveOrEnd(capacity), y.reserveOrEnd(capacity), z.reserveOrEnd(capacity))
    let edges = edges.reserveOrEnd(capacity)
    squares.reserveOrEnd(capacity)
    foundEdges.reserveOrEnd(capacity)
    foundDistances.reserveOrEnd(capacity)
    count = 0
    for e in range where list.lengths[e] < distance && list.neighbours[e] != Int32(i) {
      let vector = list.vectors[e]
      (x[count], y[count], z[count]) = (vector.x, vector.y, vector.z)
      edges[count] = Int32(e)
      count += 1
    }
  }

  /// The edges, and distances (Å), of all atoms that are closer than `rMax` to a point given relative to the atom's own
  /// position; valid until the next call.
  func find(within rMax: Double, of point: SIMD3<Double>) -> Found {
    let (squares, edges, foundEdges, found) = (
      squares.pointer, edges.pointer, foundEdges.pointer, foundDistances.pointer
    )
    for k in stride(from: 0, to: count, by: Lanes.scalarCount) {
      let (dx, dy, dz) = (
        lanes(x.pointer + k) - point.x, lanes(y.pointer + k) - point.y, lanes(z.pointer + k) - point.z
      )
      store(dx * dx + dy * dy + dz * dz, to: squares + k)
    }
    let limit = rMax * rMax
    var n = 0
    // Every atom is written, and overwritten by the next where it is not near: a branch would often be mispredicted.
    for k in 0..<count {
      (foundEdges[n], found[n]) = (edges[k], squares[k])
      n += squares[k] < limit ? 1 : 0
    }
    for k in stride(from: 0, to: n, by: Lanes.scalarCount) { store(lanes(found + k).squareRoot(), to: found + k) }
    return Found(count: n, edges: foundEdges, distances: found)
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
