/// The functions that a three-body term is expanded in. The neighbours of type b about a centre are described by
/// moments
///
///   A_{bn,lm} = Σ_{j∈b} φ_n(r_ij) Y_lm(r_ij/|r_ij|),   p = (b, n),
///
/// with uniform cubic B-splines φ_n and real spherical harmonics, and products of two of them that no rotation changes
/// are
///
///   B_{l,pq} = Σ_m A_{p,lm} A_{q,lm} / (2l + 1) = Σ_jk φ_p(r_ij) φ_q(r_ik) P_l(cos θ_jik).
///
/// These are power spectra of the neighbours' density (Bartók, Kondor & Csányi, Phys. Rev. B 87, 184115 (2013)); their
/// cost grows with the number of neighbours, not of pairs of them. Terms j = k are functions of one distance alone.
public struct TripletBasis: Equatable, Sendable {
  /// Number of atom types.
  public let typeCount: Int
  /// Neighbours farther away do not count (Å).
  public let rMax: Double
  /// Knot intervals in [0, rMax].
  public let intervals: Int
  /// The first B-spline that is used: those below reach only where no atoms are.
  public let first: Int
  /// Highest l.
  public let lMax: Int
  /// Floor of the distances that radial functions use.
  public let floor: DistanceFloor

  /// Radial functions for each type of neighbour. The last three on [0, rMax] are left out, so that neighbours come and
  /// go smoothly.
  public var radialCount: Int { intervals - first }
  /// Moments for each (l, m): the number of p.
  public var channelCount: Int { typeCount * radialCount }
  /// Number of spherical harmonics Y_lm up to lMax, (lMax + 1)².
  public var harmonicCount: Int { (lMax + 1) * (lMax + 1) }
  /// Moments of a centre, [lm][p].
  public var momentCount: Int { harmonicCount * channelCount }
  /// Products of a centre, [l][p ≤ q].
  public var productCount: Int { (lMax + 1) * channelCount * (channelCount + 1) / 2 }
  /// Functions: products for each type of the centre, [type][l][p ≤ q].
  public var count: Int { typeCount * productCount }
  /// Knot spacing (Å).
  public var spacing: Double { rMax / Double(intervals) }

  /// Most intervals of a sound file: more are a sign of damage.
  static let mostIntervals = 100

  /// A basis of cubic B-splines on [0, rMax] (Å), from the one numbered `first` on, and harmonics up to lMax.
  /// - Throws: where there is no type, the cutoff is not positive, or an index or the floor is out of range.
  public init(
    typeCount: Int, rMax: Double, intervals: Int, first: Int, lMax: Int, floor: DistanceFloor = .none
  ) throws {
    guard typeCount > 0, rMax.isFinite, rMax > 0, 1...Self.mostIntervals ~= intervals, 0..<intervals ~= first,
      0...SphericalHarmonics.maximumDegree ~= lMax
    else {
      throw DiffNNPError(
        "triplets of \(typeCount) types up to \(rMax) Å, functions \(first)..<\(intervals), l up to \(lMax); expected "
          + "a positive cutoff, 1 to \(Self.mostIntervals) intervals, fewer functions left out, and l from 0 to 3")
    }
    try floor.check(typeCount: typeCount, within: rMax)
    self.typeCount = typeCount
    self.rMax = rMax
    self.intervals = intervals
    self.first = first
    self.lMax = lMax
    self.floor = floor
  }

  /// The contributions of one neighbour to the moments of its type: at most four radial functions.
  public struct Neighbour {
    /// The index p of the first moment that changes.
    public var channel = 0
    /// Number of moments that change for each (l, m): values beyond are left out.
    public var width = 0
    /// The `values` of the radial functions φ_n, and their `slopes` dφ_n/dr (1/Å).
    public var values = SIMD4<Double>.zero
    public var slopes = SIMD4<Double>.zero
  }

  /// The radial functions of a neighbour of a type at distance r < rMax of a centre of type `centre`.
  @inline(__always)
  public func neighbour(of centre: Int, type: Int, at r: Double) -> Neighbour {
    let floored = floor.floored(centre, type, at: r)
    let (m, t) = CubicBSpline.locate(floored.distance / spacing, count: intervals)
    var (values, slopes) = CubicBSpline.basis(t)
    slopes *= floored.slope
    slopes /= spacing
    var begin = m - first
    while begin < 0 {
      values = [values[1], values[2], values[3], 0]
      slopes = [slopes[1], slopes[2], slopes[3], 0]
      begin += 1
    }
    let width = max(0, min(4, radialCount - begin, m + 4 - max(m, first)))
    assert(0..<typeCount ~= type && 0...radialCount ~= begin + width, "function \(begin) of \(radialCount)")
    return Neighbour(channel: type * radialCount + begin, width: width, values: values, slopes: slopes)
  }

  /// Writes Y_lm of a vector of length r.
  @inline(__always)
  public func harmonics(_ vector: SIMD3<Double>, _ r: Double, into y: UnsafeMutablePointer<Double>) {
    SphericalHarmonics.evaluate(lMax, vector.x / r, vector.y / r, vector.z / r, into: y)
  }

  /// Writes the gradients of Y_lm with respect to the vector r · unit: [lm][3].
  /// - Parameter scratch: room for `harmonicCount` numbers.
  public func harmonicSlopes(
    _ unit: SIMD3<Double>, _ r: Double, _ y: UnsafePointer<Double>, scratch: UnsafeMutablePointer<Double>,
    into slopes: UnsafeMutablePointer<Double>
  ) {
    scratch.update(repeating: 0, count: harmonicCount)
    for lm in 0..<harmonicCount {
      scratch[lm] = 1
      let slope = SphericalHarmonics.pullBack(lMax, unit.x, unit.y, unit.z, y, scratch, inverseLength: 1 / r)
      (slopes[3 * lm], slopes[3 * lm + 1], slopes[3 * lm + 2]) = slope
      scratch[lm] = 0
    }
  }

  /// Adds `sign` times a neighbour to moments [lm][p].
  @inline(__always)
  public func add(
    _ neighbour: Neighbour, _ y: UnsafePointer<Double>, sign: Double, to moments: UnsafeMutablePointer<Double>
  ) {
    var row = moments + neighbour.channel
    for lm in 0..<harmonicCount {
      let factor = sign * y[lm]
      for n in 0..<neighbour.width { row[n] += factor * neighbour.values[n] }
      row += channelCount
    }
  }

  /// Writes the moments [lm][p] of a centre of an edge list.
  /// - Parameter y: room for `harmonicCount` numbers.
  public func describe(
    _ centre: Int, _ edges: EdgeList, into moments: UnsafeMutablePointer<Double>, _ y: UnsafeMutablePointer<Double>
  ) {
    EdgePointers(edges).assertSound(for: centre..<centre + 1, typeCount: typeCount)
    moments.update(repeating: 0, count: momentCount)
    for e in Int(edges.offsets[centre])..<Int(edges.offsets[centre + 1]) where edges.lengths[e] < rMax {
      let type = Int(edges.types[Int(edges.neighbours[e])])
      let near = neighbour(of: Int(edges.types[centre]), type: type, at: edges.lengths[e])
      harmonics(edges.vectors[e], edges.lengths[e], into: y)
      add(near, y, sign: 1, to: moments)
    }
  }

  /// Number of halves of products, which are complete matrices [l][p][q]; `fold` makes products of them.
  public var halfCount: Int { (lMax + 1) * channelCount * channelCount }

  /// Adds the halves of the products of moments to `halves` [l][p][q].
  public func addHalves(of moments: UnsafePointer<Double>, to halves: UnsafeMutablePointer<Double>) {
    let d = channelCount
    var (row, base) = (moments, halves)
    for l in 0...lMax {
      let factor = 0.5 / Double(2 * l + 1)
      for _ in 0..<(2 * l + 1) {
        for p in 0..<d where row[p] != 0 {
          let (left, to) = (factor * row[p], base + p * d)
          for q in 0..<d { to[q] += left * row[q] }
        }
        row += d
      }
      base += d * d
    }
  }

  /// Adds to `halves` [l][p][q] their change when a neighbour is added to moments.
  @inline(__always)
  public func addHalves(
    adding neighbour: Neighbour, _ y: UnsafePointer<Double>, to moments: UnsafePointer<Double>,
    _ halves: UnsafeMutablePointer<Double>
  ) {
    let d = channelCount
    var (row, base, lm) = (moments, halves + neighbour.channel * d, 0)
    for l in 0...lMax {
      let factor = 1 / Double(2 * l + 1)
      var squares = 0.0
      for _ in 0..<(2 * l + 1) {
        squares += y[lm] * y[lm]
        for n in 0..<neighbour.width {
          let (left, to) = (factor * y[lm] * neighbour.values[n], base + n * d)
          for q in 0..<d { to[q] += left * row[q] }
        }
        row += d
        lm += 1
      }
      for n in 0..<neighbour.width {
        let (left, to) = (0.5 * factor * squares * neighbour.values[n], base + n * d + neighbour.channel)
        for q in 0..<neighbour.width { to[q] += left * neighbour.values[q] }
      }
      base += d * d
    }
  }

  /// Writes products [l][p ≤ q] from their halves [l][p][q].
  public func fold(_ halves: UnsafePointer<Double>, into products: UnsafeMutablePointer<Double>) {
    let d = channelCount
    var (base, to) = (halves, products)
    for _ in 0...lMax {
      for p in 0..<d {
        to.pointee = 2 * base[p * d + p]
        to += 1
        for q in p + 1..<max(d, p + 1) {
          to.pointee = base[p * d + q] + base[q * d + p]
          to += 1
        }
      }
      base += d * d
    }
  }
}
