/// Geometry of an edge within the network's cutoff: its unit vector, and its length as a position in the radial tables.
struct EdgeGeometry<S: Real> {
  /// Index in the edge list.
  var edge: Int32
  var neighbour: Int32
  var x: S
  var y: S
  var z: S
  var inverseLength: S
  /// Interval of the tables, and position t between its knots (0…1).
  var knot: Int32
  var t: S
}

/// A few edges of one centre, which go through all products of a layer one product after the other: sums over edges
/// then stay in registers, and what the edges need stays in cache.
struct EdgeBatch<L: Lanes> {
  /// Edges of a batch at most.
  static var capacity: Int { 32 }

  let edges: UnsafePointer<EdgeGeometry<L.Scalar>>
  let count: Int
  /// Harmonics of each edge [count][harmonicCount].
  let harmonics: UnsafePointer<L.Scalar>
  let harmonicCount: Int
  /// Splines of the radial weights [knot][radialVectors][4], see `PackedWeights`.
  var splines: UnsafePointer<L.Weight>
  let radialVectors: Int
  /// Features as messages carry them, of atoms or, in the first layer, of types.
  let sources: UnsafePointer<L>
  /// First vector of the far end's features among `sources` [count].
  let sourcePlaces: UnsafePointer<Int>

  /// The spline of a vector of radial weights at an edge's length.
  @inline(__always)
  func spline(_ e: Int, _ vector: Int) -> UnsafePointer<L.Weight> {
    splines + 4 &* (Int(edges[e].knot) &* radialVectors &+ vector)
  }

  /// Harmonics of a degree at an edge.
  @inline(__always)
  func harmonics(_ e: Int, degree l: Int) -> UnsafePointer<L.Scalar> { harmonics + (e &* harmonicCount &+ l &* l) }
}
