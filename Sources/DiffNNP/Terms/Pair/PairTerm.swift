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
  /// Polynomials a₀ + a₁t + a₂t² + a₃t³ of each interval, from the same coefficients [pair][intervals + 1]; the last of
  /// each row, for distances beyond rMax, is zero.
  private let pieces: [SIMD4<Double>]
  /// Where the pieces of types a and b begin [a][b].
  private let starts: [Int]
  /// 1/h (1/Å).
  private let inverseSpacing: Double

  /// Knot spacing h (Å).
  public var spacing: Double { rMax / Double(intervals) }

  /// Coefficients [pair][intervals], without the zeros.
  public var freeCoefficients: [Double] {
    (0..<TypePairs.count(typeCount)).flatMap { coefficients[$0 * (intervals + 3)..<($0 + 1) * (intervals + 3) - 3] }
  }

  /// A pair term from its free coefficients.
  /// - Parameter free: coefficients [pair][intervals].
  /// - Throws: where there is no type or interval, the cutoff is not positive, or the number of coefficients is not
  ///   pairs × intervals.
  public init(typeCount: Int, rMax: Double, intervals: Int, free: [Double]) throws {
    let pairs = TypePairs.count(typeCount)
    guard rMax.isFinite, rMax > 0, intervals > 0, typeCount > 0, free.count == pairs * intervals else {
      throw DiffNNPError(
        "pair term: \(free.count) coefficients, expected \(pairs) pairs × \(intervals) intervals, with a positive cutoff"
      )
    }
    self.typeCount = typeCount
    self.rMax = rMax
    self.intervals = intervals
    inverseSpacing = Double(intervals) / rMax
    var padded: [Double] = []
    for p in 0..<pairs { padded += free[p * intervals..<(p + 1) * intervals] + [0, 0, 0] }
    coefficients = padded
    var pieces: [SIMD4<Double>] = []
    for p in 0..<pairs {
      for m in p * (intervals + 3)..<p * (intervals + 3) + intervals {
        pieces.append(CubicBSpline.polynomial(SIMD4(padded[m], padded[m + 1], padded[m + 2], padded[m + 3])))
      }
      pieces.append(.zero)
    }
    self.pieces = pieces
    starts = (0..<typeCount * typeCount).map {
      TypePairs.index($0 / typeCount, $0 % typeCount, typeCount: typeCount) * (intervals + 1)
    }
  }

  /// Energy u(r) (kT) and slope du/dr (kT/Å) of the pair of types (a, b).
  public func value(_ a: Int, _ b: Int, at r: Double) -> (energy: Double, slope: Double) {
    guard r < rMax else { return (0, 0) }
    let (interval, t) = CubicBSpline.locate(SIMD4(repeating: r * inverseSpacing), last: Double(intervals))
    let piece = pieces[starts[a * typeCount + b] + interval.x]
    return (
      piece.x + t.x * (piece.y + t.x * (piece.z + t.x * piece.w)),
      (piece.y + t.x * (2 * piece.z + t.x * 3 * piece.w)) * inverseSpacing
    )
  }

  /// Adds ½u(r) of each edge to its centre's energy, and to the forces what its gradient ½u'(r) r̂ gives, times
  /// `scale`, for some centres.
  func add(
    _ edges: EdgeList, centres: Range<Int>, scale: Double, energies: UnsafeMutablePointer<Double>,
    forces: ForceSums, scratch: inout Buffer<SIMD4<Double>>
  ) throws {
    let edges = EdgePointers(edges)
    edges.assertSound(for: centres, typeCount: typeCount)
    let slopes = try scratch.reserve((edges.mostEdges(of: centres) + 3) / 4)
    pieces.withUnsafeBufferPointer { pieces in
      starts.withUnsafeBufferPointer { starts in
        for i in centres {
          let row = starts.baseAddress! + Int(edges.types[i]) * typeCount
          var energy = evaluate(i, edges, pieces.baseAddress!, row, into: slopes)
          if let weights = edges.weights { energy = weigh(i, edges, weights, slopes) }
          energies[i] += 0.5 * scale * energy
          addForces(i, edges, UnsafeRawPointer(slopes).assumingMemoryBound(to: Double.self), 0.5 * scale, forces)
        }
      }
    }
  }

  /// Writes u'(r)/r of the edges of a centre, and returns the sum of u(r).
  ///
  /// Apart from the loop that adds forces: where single lanes are wanted, the compiler takes arithmetic on four to
  /// pieces.
  /// - Parameter starts: of the pieces of the centre's type and that of the far end.
  @inline(never)
  private func evaluate(
    _ i: Int, _ edges: EdgePointers, _ pieces: UnsafePointer<SIMD4<Double>>, _ starts: UnsafePointer<Int>,
    into slopes: UnsafeMutablePointer<SIMD4<Double>>
  ) -> Double {
    let end = Int(edges.offsets[i + 1])
    var (e, sum, to) = (Int(edges.offsets[i]), SIMD4<Double>.zero, slopes)
    while e &+ 4 <= end {
      let r = UnsafeRawPointer(edges.lengths + e).loadUnaligned(as: SIMD4<Double>.self)
      let ends = UnsafeRawPointer(edges.neighbours + e).loadUnaligned(as: SIMD4<Int32>.self)
      sum += evaluate(r, ends, edges.types, pieces, starts, into: to)
      e &+= 4
      to += 1
    }
    guard e < end else { return sum.sum() }
    // Made up to four by edges so long that nothing comes of them.
    var (r, ends) = (SIMD4(repeating: 2 * rMax), SIMD4(repeating: edges.neighbours[e]))
    for k in 0..<end &- e { (r[k], ends[k]) = (edges.lengths[e &+ k], edges.neighbours[e &+ k]) }
    sum += evaluate(r, ends, edges.types, pieces, starts, into: to)
    return sum.sum()
  }

  /// Multiplies the slopes of a centre's edges by weights, and returns the sum of the weighted u(r).
  private func weigh(
    _ i: Int, _ edges: EdgePointers, _ weights: UnsafePointer<Double>, _ slopes: UnsafeMutablePointer<SIMD4<Double>>
  ) -> Double {
    let slopes = UnsafeMutableRawPointer(slopes).assumingMemoryBound(to: Double.self)
    let (first, type) = (Int(edges.offsets[i]), Int(edges.types[i]))
    var sum = 0.0
    for e in first..<Int(edges.offsets[i + 1]) {
      slopes[e - first] *= weights[e]
      sum += weights[e] * value(type, Int(edges.types[Int(edges.neighbours[e])]), at: edges.lengths[e]).energy
    }
    return sum
  }

  /// Writes u'(r)/r of four edges, and returns u(r).
  @inline(__always)
  private func evaluate(
    _ r: SIMD4<Double>, _ ends: SIMD4<Int32>, _ types: UnsafePointer<Int32>, _ pieces: UnsafePointer<SIMD4<Double>>,
    _ starts: UnsafePointer<Int>, into slopes: UnsafeMutablePointer<SIMD4<Double>>
  ) -> SIMD4<Double> {
    let (interval, t) = CubicBSpline.locate(r * inverseSpacing, last: Double(intervals))
    @inline(__always) func piece(_ k: Int) -> SIMD4<Double> {
      pieces[starts[Int(types[Int(ends[k])])] &+ interval[k]]
    }
    // Horner's scheme, that of the slope with what is in that of the value.
    let a = SIMD4.transposed(piece(0), piece(1), piece(2), piece(3))
    let c = a.2.multiplyAdding(a.3, t)
    let b = a.1.multiplyAdding(c, t)
    slopes.pointee = b.multiplyAdding(c.multiplyAdding(a.3, t), t) * inverseSpacing / r
    return a.0.multiplyAdding(b, t)
  }

  /// Adds what slopes u'(r)/r times `factor` give to forces.
  private func addForces(
    _ i: Int, _ edges: EdgePointers, _ slopes: UnsafePointer<Double>, _ factor: Double, _ forces: ForceSums
  ) {
    var (force, slope) = (SIMD3<Double>.zero, slopes)
    for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) {
      let gradient = (factor * slope.pointee) * edges.vectors[e]
      slope += 1
      force += gradient
      forces.add(gradient, edges.vectors[e], from: i, to: Int(edges.neighbours[e]))
    }
    forces.addForce(force, toCentre: i)
  }
}
