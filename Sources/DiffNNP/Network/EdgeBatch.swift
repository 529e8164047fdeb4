/// An edge within the network's cutoff: its unit vector, and its length as the radial tables want it.
struct EdgeGeometry<S: Real> {
  /// Place in the edge list.
  var edge: Int32
  var neighbour: Int32
  var x: S
  var y: S
  var z: S
  var inverseLength: S
  /// Interval of the tables, and place between its knots (0…1).
  var knot: Int32
  var t: S
}

/// A few edges of one centre, which go through all products of a layer one product after the other: sums over edges then
/// stay in registers, and what the edges need stays in cache.
struct EdgeBatch<L: Lanes> {
  /// Edges of a batch at most.
  static var capacity: Int { 16 }

  let edges: UnsafePointer<EdgeGeometry<L.Scalar>>
  let count: Int
  /// Harmonics of each edge [count][harmonicCount].
  let harmonics: UnsafePointer<L.Scalar>
  let harmonicCount: Int
  /// Matrices of products of each edge [count][matrixVectors], see `CouplingTable`.
  let matrices: UnsafePointer<L>
  let matrixVectors: Int
  /// Splines of the radial weights [knot][radialVectors][4], see `PackedWeights`.
  var splines: UnsafePointer<L.Weight>
  let radialVectors: Int
  /// Features as messages carry them [atom][sourceVectors].
  let sources: UnsafePointer<L>
  let sourceVectors: Int

  /// The spline of a vector of radial weights at an edge's length.
  @inline(__always)
  func spline(_ e: Int, _ vector: Int) -> UnsafePointer<L.Weight> {
    splines + 4 &* (Int(edges[e].knot) &* radialVectors &+ vector)
  }

  /// First vector of the neighbour's features among those of all atoms.
  @inline(__always)
  func source(_ e: Int) -> Int { Int(edges[e].neighbour) &* sourceVectors }

  /// Element of the matrix M[m₁ m₃] of a path at an edge: of products from or to scalars, a harmonic.
  @inline(__always)
  func matrix(_ e: Int, _ path: NetworkLayout.Path, _ l: (Int, Int, Int), _ m1: Int, _ m3: Int) -> L.Scalar {
    if l.0 == 0 || l.2 == 0 { return harmonics[e &* harmonicCount &+ l.1 &* l.1 &+ m1 &+ m3] }
    return L.load(matrices + (e &* matrixVectors &+ path.matrix), m1 &* (2 &* l.2 &+ 1) &+ m3)
  }
}
