import DiffNNP

/// The functions a pair potential is expanded in: for each pair of types, cubic B-splines of the distance that vanish
/// smoothly at the cutoff (see `PairTerm`).
public struct PairBasis: Equatable, Sendable {
  /// Number of atom types.
  public let typeCount: Int
  /// Cutoff (Å).
  public let rMax: Double
  /// Number of knot intervals in [0, rMax], and of functions for each pair of types.
  public let intervals: Int

  /// A basis of `intervals` functions up to rMax (Å) for each pair of types.
  public init(typeCount: Int, rMax: Double, intervals: Int) {
    self.typeCount = typeCount
    self.rMax = rMax
    self.intervals = intervals
  }

  /// Number of unordered pairs of types.
  public var pairCount: Int { TypePairs.count(typeCount) }
  /// Knot spacing (Å).
  public var spacing: Double { rMax / Double(intervals) }
  /// Number of functions.
  public var count: Int { pairCount * intervals }

  /// The number of functions as a product, in words for messages.
  var arithmetic: String { "\(intervals) for each of \(pairCount) pairs of \(typeCount) types" }

  /// Number of functions per pair of types, including the three that are left out at the cutoff, as sums are laid out.
  package var paddedIntervals: Int { intervals + 3 }
  package var paddedCount: Int { pairCount * paddedIntervals }

  /// Indices in the padded layout of the functions that are kept.
  package var kept: [Int] { (0..<pairCount).flatMap { p in (0..<intervals).map { p * paddedIntervals + $0 } } }

  /// The pair of types at the ends of an edge of centre i.
  @inline(__always)
  func pair(_ i: Int, _ e: Int, _ edges: EdgeList) -> Int {
    TypePairs.index(Int(edges.types[i]), Int(edges.types[Int(edges.neighbours[e])]), typeCount: typeCount)
  }

  /// The padded index of the first of the four functions of pair `p` that do not vanish at `r`, and the position in its
  /// interval.
  @inline(__always)
  package func locate(pair p: Int, _ r: Double, _ inverseSpacing: Double) -> (first: Int, t: Double) {
    let (m, t) = interval(r * inverseSpacing)
    return (p * paddedIntervals + m, t)
  }

  /// The Laplacians Δφ = φ'' + 2φ'/r of the four functions of pair `p` that do not vanish at `r`, from the first
  /// (padded) on.
  @inline(__always)
  package func laplacians(pair p: Int, _ r: Double) -> (first: Int32, values: SIMD4<Double>) {
    let inverse = 1 / spacing
    let (first, t) = locate(pair: p, r, inverse)
    let values = CubicBSpline.curvature(t) * (inverse * inverse) + CubicBSpline.basis(t).slope * (2 * inverse / r)
    return (Int32(first), values)
  }

  /// The interval of a distance given in knot spacings, and the position in it, from 0 to 1.
  @inline(__always)
  package func interval(_ s: Double) -> (interval: Int, t: Double) { CubicBSpline.locate(s, count: intervals) }

  /// Adds `weight` times the functions of pair `p` at `r` to an array of all functions [count].
  @inline(__always)
  func add(
    _ weight: Double, pair p: Int, at r: Double, _ inverseSpacing: Double, to all: UnsafeMutablePointer<Double>
  ) {
    let (m, t) = interval(r * inverseSpacing)
    let values = weight * CubicBSpline.basis(t).value
    let to = all + p * intervals + m
    if m + 4 <= intervals {
      let four = UnsafeMutableRawPointer(to)
      four.storeBytes(of: four.loadUnaligned(as: SIMD4<Double>.self) + values, as: SIMD4<Double>.self)
    } else {
      for k in 0..<intervals - m { to[k] += values[k] }
    }
  }

  /// The pair term with coefficients [count] (kT).
  /// - Throws: where the number of coefficients is not `count`, or the cutoff is not positive.
  public func pairTerm(_ coefficients: [Double]) throws -> PairTerm {
    try PairTerm(typeCount: typeCount, rMax: rMax, intervals: intervals, free: coefficients)
  }
}
