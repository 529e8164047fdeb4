#if canImport(Glibc)
  import Glibc
#endif

/// A pair potential for each pair of types: u_ab(r) = Σ_k c_abk B(r/h - k + 3), with uniform cubic B-splines B of knot
/// spacing h on [0, rMax]. Energies in units of kT (multiply by the potential's `energyScale`).
///
/// The last three basis functions are left out, so that value, slope and curvature vanish at rMax.
public struct PairTerm: Equatable, Sendable {
  public let typeCount: Int
  /// Cutoff (Å).
  public let rMax: Double
  /// Knot intervals in [0, rMax]; also the number of free coefficients for each pair of types.
  public let intervals: Int
  /// Coefficients [pair][intervals + 3]; the last three of each row are zero.
  public let coefficients: [Double]

  /// Knot spacing h (Å).
  public var spacing: Double { rMax / Double(intervals) }

  /// Coefficients [pair][intervals], without the zeros.
  public var freeCoefficients: [Double] {
    (0..<Self.pairCount(typeCount)).flatMap { coefficients[$0 * (intervals + 3)..<($0 + 1) * (intervals + 3) - 3] }
  }

  public static func pairCount(_ typeCount: Int) -> Int { typeCount * (typeCount + 1) / 2 }

  /// Row of the pair (a, b), the same for (b, a): (0,0), (0,1), …, (1,1), ….
  @inlinable @inline(__always)
  public static func pairIndex(_ a: Int, _ b: Int, typeCount: Int) -> Int {
    let (low, high) = a < b ? (a, b) : (b, a)
    return low * typeCount - low * (low - 1) / 2 + (high - low)
  }

  /// - Parameter free: coefficients [pair][intervals].
  public init(typeCount: Int, rMax: Double, intervals: Int, free: [Double]) throws {
    let pairs = Self.pairCount(typeCount)
    guard rMax.isFinite, rMax > 0, intervals > 0, typeCount > 0, free.count == pairs * intervals else {
      throw DiffNNPError(
        "pair term: \(free.count) coefficients, expected \(pairs) pairs × \(intervals) intervals, with a positive cutoff"
      )
    }
    self.typeCount = typeCount
    self.rMax = rMax
    self.intervals = intervals
    var padded: [Double] = []
    for p in 0..<pairs { padded += free[p * intervals..<(p + 1) * intervals] + [0, 0, 0] }
    coefficients = padded
  }

  /// Energy u(r) (kT) and slope du/dr (kT/Å) of the pair of types (a, b).
  public func value(_ a: Int, _ b: Int, at r: Double) -> (energy: Double, slope: Double) {
    guard r < rMax else { return (0, 0) }
    return coefficients.withUnsafeBufferPointer {
      value($0.baseAddress! + Self.pairIndex(a, b, typeCount: typeCount) * (intervals + 3), at: r, 1 / spacing)
    }
  }

  /// As above, for the row of coefficients of a pair.
  @inline(__always)
  func value(
    _ row: UnsafePointer<Double>, at r: Double, _ inverseSpacing: Double
  ) -> (energy: Double, slope: Double) {
    let s = r * inverseSpacing
    let m = min(Int(s), intervals - 1)
    let (b, d) = CubicBSpline.basis(s - Double(m))
    let c = SIMD4<Double>(row[m], row[m + 1], row[m + 2], row[m + 3])
    return ((b * c).sum(), (d * c).sum() * inverseSpacing)
  }

  /// Adds ½u(r) of each edge to its centre's energy, and to the forces what its gradient ½u'(r) r̂ gives, times `scale`, for some
  /// centres.
  func add(
    _ edges: EdgeList, centres: Range<Int>, scale: Double, energies: UnsafeMutablePointer<Double>,
    forces: ForceSums
  ) {
    let inverseSpacing = 1 / spacing
    coefficients.withUnsafeBufferPointer { rows in
      for i in centres {
        let a = Int(edges.types[i])
        var (energy, force) = (0.0, SIMD3<Double>.zero)
        for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.lengths[e] < rMax {
          let b = Int(edges.types[Int(edges.neighbours[e])])
          let r = edges.lengths[e]
          let row = rows.baseAddress! + Self.pairIndex(a, b, typeCount: typeCount) * (intervals + 3)
          let u = value(row, at: r, inverseSpacing)
          energy += u.energy
          let gradient = (0.5 * scale * u.slope / r) * edges.vectors[e]
          force += gradient
          forces.add(gradient, edges.vectors[e], from: i, to: Int(edges.neighbours[e]))
        }
        forces.addForce(force, toCentre: i)
        energies[i] += 0.5 * scale * energy
      }
    }
  }
}

/// Uniform cubic B-splines: within one knot interval, the four that do not vanish.
public enum CubicBSpline {
  /// Values and derivatives with respect to t of the four basis functions at t in [0, 1] of an interval, leftmost first.
  @inlinable @inline(__always)
  public static func basis(_ t: Double) -> (value: SIMD4<Double>, slope: SIMD4<Double>) {
    let u = 1 - t
    let t2 = t * t
    let u2 = u * u
    let value = 1 / 6 * SIMD4(u2 * u, 3 * t2 * t - 6 * t2 + 4, 3 * u2 * u - 6 * u2 + 4, t2 * t)
    let slope = 0.5 * SIMD4(-u2, 3 * t2 - 4 * t, 4 * u - 3 * u2, t2)
    return (value, slope)
  }

  /// Second derivatives with respect to t.
  @inlinable @inline(__always)
  public static func curvature(_ t: Double) -> SIMD4<Double> { [1 - t, 3 * t - 2, 1 - 3 * t, t] }
}
