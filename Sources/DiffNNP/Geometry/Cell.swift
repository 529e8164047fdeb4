#if canImport(Glibc)
  import Glibc
#endif

/// A simulation cell: three vectors (Å) and, for each, whether the system repeats along it.
public struct Cell: Equatable, Sendable {
  /// Cell vectors a, b, c (Å): rows of the cell matrix, as in ASE and NequIP.
  public let vectors: [SIMD3<Double>]
  /// Whether the system repeats along each of the three vectors.
  public let periodic: [Bool]
  /// Rows of the inverse transposed matrix: fractional coordinate k of x is dot(reciprocal[k], x).
  public let reciprocal: [SIMD3<Double>]
  /// Volume (Å³).
  public let volume: Double

  /// A cell of three vectors (Å), periodic along those that `periodic` names.
  /// - Throws: where a vector is not finite, or the three do not span a volume.
  public init(vectors: [SIMD3<Double>], periodic: [Bool] = [true, true, true]) throws {
    guard vectors.count == 3, periodic.count == 3 else {
      throw DiffNNPError("a cell needs three vectors and three periodicity flags")
    }
    let (a, b, c) = (vectors[0], vectors[1], vectors[2])
    let bc = cross(b, c)
    let determinant = dot(a, bc)
    let size = length(a) * length(b) * length(c)
    guard size.isFinite, abs(determinant) > 1e-9 * size, size > 0 else {
      throw DiffNNPError(
        "degenerate cell: its vectors span no volume (volume \(determinant) Å³); give three independent cell vectors")
    }
    self.vectors = vectors
    self.periodic = periodic
    volume = abs(determinant)
    reciprocal = [bc / determinant, cross(c, a) / determinant, cross(a, b) / determinant]
    // Nothing can be computed with a vector so short that the square of its inverse is infinite.
    guard heights.min() > 0 else {
      throw DiffNNPError(
        "degenerate cell: its vectors are \(length(a)), \(length(b)) and \(length(c)) Å long; give longer ones, in Å")
    }
  }

  /// A periodic orthogonal cell with edges (Å) along x, y, z.
  /// - Throws: where an edge is not finite, or zero.
  public init(orthogonal edges: SIMD3<Double>, periodic: [Bool] = [true, true, true]) throws {
    try self.init(
      vectors: [[edges.x, 0, 0], [0, edges.y, 0], [0, 0, edges.z]], periodic: periodic)
  }

  /// Distances between opposite faces (Å).
  public var heights: SIMD3<Double> {
    [1 / length(reciprocal[0]), 1 / length(reciprocal[1]), 1 / length(reciprocal[2])]
  }

  /// Fractional coordinates of a point x (Å): its components along the cell vectors.
  public func fractional(_ x: SIMD3<Double>) -> SIMD3<Double> {
    [dot(reciprocal[0], x), dot(reciprocal[1], x), dot(reciprocal[2], x)]
  }

  /// The point (Å) with fractional coordinates `s`.
  public func cartesian(_ s: SIMD3<Double>) -> SIMD3<Double> {
    s.x * vectors[0] + s.y * vectors[1] + s.z * vectors[2]
  }

  /// The image of `x` inside the cell, along periodic directions.
  public func wrapped(_ x: SIMD3<Double>) -> SIMD3<Double> {
    let s = fractional(x)
    var shift = SIMD3<Double>.zero
    for k in 0..<3 where periodic[k] { shift -= s[k].rounded(.down) * vectors[k] }
    return x + shift
  }
}

/// Scalar product a·b.
@inline(__always)
public func dot(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> Double { (a * b).sum() }

/// Vector product a × b.
@inline(__always)
public func cross(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> SIMD3<Double> {
  [a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x]
}

/// Euclidean norm |a|.
@inline(__always)
public func length(_ a: SIMD3<Double>) -> Double { dot(a, a).squareRoot() }
