/// The highest l as a type, so that the compiler knows how many harmonics there are.
protocol TripletDegree {
  static var lMax: Int { get }
}

enum TripletDegree0: TripletDegree { static var lMax: Int { 0 } }
enum TripletDegree1: TripletDegree { static var lMax: Int { 1 } }
enum TripletDegree2: TripletDegree { static var lMax: Int { 2 } }
enum TripletDegree3: TripletDegree { static var lMax: Int { 3 } }

/// Energy and forces of a `TripletTerm`, one centre after the other.
///
/// Quantities of one neighbour alone, directions, harmonics and splines, are computed for four neighbours at once. Sums
/// over neighbours and over channels take one neighbour or channel after the other, with its harmonics side by side: as
/// each adds to four complete rows, what one writes and the next reads never overlaps in part.
struct TripletKernel<Degree: TripletDegree> {
  typealias Four = SIMD4<Double>

  let basis: TripletBasis
  /// Coefficients of products of moments, as in `TripletTerm` [type][p][q].
  let matrices: UnsafePointer<SIMD4<Double>>
  let edges: EdgePointers
  let scale: Double
  let forces: ForceSums
  /// Inverse of the knot spacing (1/Å).
  private let inverseSpacing: Double
  /// Rows of moments of a type of neighbours: all B-splines, also those that are not used, so that each neighbour adds
  /// to four.
  private let rowsPerType: Int

  /// Vectors of a row.
  @inline(__always) private static var width: Int { (SphericalHarmonics.count(Degree.lMax) + 3) / 4 }
  private var rowCount: Int { basis.typeCount * rowsPerType }

  init(
    _ basis: TripletBasis, _ matrices: UnsafePointer<SIMD4<Double>>, _ edges: EdgePointers, scale: Double,
    _ forces: ForceSums
  ) {
    (self.basis, self.matrices, self.edges, self.scale, self.forces) = (basis, matrices, edges, scale, forces)
    inverseSpacing = 1 / basis.spacing
    rowsPerType = basis.intervals + 3
  }

  func add(_ centres: Range<Int>, energies: UnsafeMutablePointer<Double>, scratch: inout TripletScratch) throws {
    assert(Degree.lMax == basis.lMax)
    edges.assertSound(for: centres, typeCount: basis.typeCount)
    let pointers = try scratch.reserve(neighbours: edges.mostEdges(of: centres), rowCount: rowCount, width: Self.width)
    for lm in SphericalHarmonics.count(Degree.lMax)..<16 { pointers.four[lm] = .zero }
    let matrixSize = basis.channelCount * basis.channelCount
    for i in centres {
      let count = find(i, pointers)
      guard count > 0 else { continue }
      for begin in stride(from: 0, to: count, by: 4) { prepare(i, begin, pointers) }
      // And of slopes, which lie behind.
      pointers.moments.update(repeating: .zero, count: 2 * rowCount * Self.width)
      describe(count, pointers)
      energies[i] += scale * contract(matrices + Int(edges.types[i]) * matrixSize, pointers)
      pullBack(count, pointers)
      findGradients(count, pointers)
      addForces(i, count, pointers)
    }
  }

  /// Finds the neighbours of a centre. Their number is made up to a multiple of four by repeating the last.
  private func find(_ i: Int, _ pointers: TripletScratch.Pointers) -> Int {
    let (found, lengths, rMax) = (pointers.edges, edges.lengths, basis.rMax)
    var count = 0
    for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) {
      // Written in any case, kept by counting on where the sign is negative: cheaper than a branch that nobody can
      // predict.
      found[count] = e
      count &+= Int((lengths[e] - rMax).bitPattern >> 63)
    }
    guard count > 0 else { return 0 }
    for k in count..<(count + 3) & ~3 { found[k] = found[count - 1] }
    return count
  }

  /// Computes directions, harmonics and splines of four neighbours.
  @inline(__always)
  private func prepare(_ i: Int, _ begin: Int, _ pointers: TripletScratch.Pointers) {
    let e = pointers.edges + begin
    let lengths = edges.lengths
    let r = Four(lengths[e[0]], lengths[e[1]], lengths[e[2]], lengths[e[3]])
    let inverse = 1 / r
    let (x, y, z) = unitVectors(e, inverse)
    let directions = pointers.directions + begin
    (directions[0], directions[1], directions[2], directions[3]) = (x, y, z, inverse)

    let harmonics = pointers.four
    SphericalHarmonics.evaluate(Degree.lMax, x, y, z, into: harmonics)
    let rows = pointers.harmonics + begin * Self.width
    for v in 0..<Self.width {
      let four = harmonics + 4 * v
      (rows[v], rows[Self.width + v], rows[2 * Self.width + v], rows[3 * Self.width + v]) = Four.transposed(
        four[0], four[1], four[2], four[3])
    }

    let radial = pointers.radial + 2 * begin
    var (distance, slope) = (r, Four(repeating: inverseSpacing))
    if min(min(r[0], r[1]), min(r[2], r[3])) < basis.floor.reach { slowDown(i, e, &distance, &slope) }
    let (interval, t) = CubicBSpline.locate(distance * inverseSpacing, last: Double(basis.intervals - 1))
    CubicBSpline.basis(t, into: radial)
    for k in 4..<8 { radial[k] *= slope }
    for k in 0..<4 {
      let type = Int(edges.types[Int(edges.neighbours[e[k]])])
      pointers.begins[begin &+ k] = (type &* rowsPerType &+ interval[k]) &* Self.width
    }
  }

  @inline(__always)
  private func unitVectors(_ e: UnsafeMutablePointer<Int>, _ inverse: Four) -> (Four, Four, Four) {
    let (a, b, c, d) = (edges.vectors[e[0]], edges.vectors[e[1]], edges.vectors[e[2]], edges.vectors[e[3]])
    let (x, y, z, _) = Four.transposed(Four(a, 0), Four(b, 0), Four(c, 0), Four(d, 0))
    return (x * inverse, y * inverse, z * inverse)
  }

  // Apart, because few atoms are so near.
  @inline(never)
  private func slowDown(_ i: Int, _ e: UnsafeMutablePointer<Int>, _ distance: inout Four, _ slope: inout Four) {
    for k in 0..<4 {
      let type = Int(edges.types[Int(edges.neighbours[e[k]])])
      let floored = basis.floor.floored(Int(edges.types[i]), type, at: distance[k])
      distance[k] = floored.distance
      slope[k] *= floored.slope
    }
  }

  /// One of the radial functions of a neighbour, or its derivative.
  @inline(__always)
  private func radial(_ radial: UnsafePointer<Double>, _ neighbour: Int, _ function: Int) -> Four {
    Four(repeating: radial[(neighbour & ~3) * 8 + (neighbour & 3) + 4 * function])
  }

  /// Adds all neighbours to the moments.
  private func describe(_ count: Int, _ pointers: TripletScratch.Pointers) {
    let functions = UnsafeRawPointer(pointers.radial).assumingMemoryBound(to: Double.self)
    var harmonics = pointers.harmonics
    for neighbour in 0..<count {
      let row = pointers.moments + pointers.begins[neighbour]
      for k in 0..<4 {
        let value = radial(functions, neighbour, k)
        for v in 0..<Self.width { row[k * Self.width + v].multiplyAdd(harmonics[v], value) }
      }
      harmonics += Self.width
    }
  }

  /// Writes dE/dA, where A is not zero, and returns E.
  private func contract(_ matrix: UnsafePointer<SIMD4<Double>>, _ pointers: TripletScratch.Pointers) -> Double {
    let (channels, rows, d) = (pointers.channels, pointers.rows, basis.channelCount)
    let count = findChannels(pointers)
    var twice = Four.zero
    for i in 0..<count {
      let coefficients = matrix + channels[i] * d
      var (s0, s1, s2, s3) = (Four.zero, Four.zero, Four.zero, Four.zero)
      for j in 0..<count {
        // The coefficients of each l, for as many m as each has in rows.
        let (c, a) = (coefficients[channels[j]], pointers.moments + rows[j])
        s0.multiplyAdd(Four(c[0], c[1], c[1], c[1]), a[0])
        if Degree.lMax > 1 {
          s1.multiplyAdd(Four(repeating: c[2]), a[1])
          s2.multiplyAdd(Four(c[2], c[3], c[3], c[3]), a[2])
        }
        if Degree.lMax > 2 { s3.multiplyAdd(Four(repeating: c[3]), a[3]) }
      }
      let (a, to) = (pointers.moments + rows[i], pointers.slopes + rows[i])
      to[0] = s0
      twice.multiplyAdd(s0, a[0])
      if Degree.lMax > 1 {
        (to[1], to[2]) = (s1, s2)
        twice.multiplyAdd(s1, a[1])
        twice.multiplyAdd(s2, a[2])
      }
      if Degree.lMax > 2 {
        to[3] = s3
        twice.multiplyAdd(s3, a[3])
      }
    }
    return 0.5 * twice.sum()
  }

  /// Finds the channels that some neighbour has added to: B-splines are not negative, and Y_00 is 1.
  private func findChannels(_ pointers: TripletScratch.Pointers) -> Int {
    var (count, channel) = (0, 0)
    for type in 0..<basis.typeCount {
      var row = (type * rowsPerType + basis.first) * Self.width
      for _ in 0..<basis.radialCount {
        pointers.channels[count] = channel
        pointers.rows[count] = row
        count &+= Int((0 - pointers.moments[row][0]).bitPattern >> 63)
        channel &+= 1
        row &+= Self.width
      }
    }
    return count
  }

  /// Takes dE/dA to dE/dY of each neighbour, and to what its radial functions give.
  private func pullBack(_ count: Int, _ pointers: TripletScratch.Pointers) {
    let functions = UnsafeRawPointer(pointers.radial).assumingMemoryBound(to: Double.self)
    var harmonics = pointers.harmonics
    for neighbour in 0..<count {
      let row = pointers.slopes + pointers.begins[neighbour]
      var radialForce = Four.zero
      for v in 0..<Self.width {
        var (value, slope) = (Four.zero, Four.zero)
        for k in 0..<4 {
          value.multiplyAdd(row[k * Self.width + v], radial(functions, neighbour, k))
          slope.multiplyAdd(row[k * Self.width + v], radial(functions, neighbour, 4 + k))
        }
        radialForce.multiplyAdd(slope, harmonics[v])
        harmonics[v] = value
      }
      pointers.radialForces[neighbour] = radialForce
      harmonics += Self.width
    }
  }

  /// Takes dE/dY to the gradients with respect to the vectors to neighbours, which replace directions.
  private func findGradients(_ count: Int, _ pointers: TripletScratch.Pointers) {
    let (harmonics, slopes) = (pointers.four, pointers.four + 16)
    for begin in stride(from: 0, to: count, by: 4) {
      let rows = pointers.harmonics + begin &* Self.width
      for v in 0..<Self.width {
        let four = slopes + 4 * v
        (four[0], four[1], four[2], four[3]) = Four.transposed(
          rows[v], rows[Self.width + v], rows[2 * Self.width + v], rows[3 * Self.width + v])
      }
      let directions = pointers.directions + begin
      let (x, y, z, inverse) = (directions[0], directions[1], directions[2], directions[3])
      SphericalHarmonics.evaluate(Degree.lMax, x, y, z, into: harmonics)
      let angular = SphericalHarmonics.pullBack(Degree.lMax, x, y, z, harmonics, slopes, inverseLength: inverse)
      let terms = pointers.radialForces + begin
      let radial = Four.sums(terms[0], terms[1], terms[2], terms[3])
      directions[0] = scale * (angular.0 + radial * x)
      directions[1] = scale * (angular.1 + radial * y)
      directions[2] = scale * (angular.2 + radial * z)
    }
  }

  /// Adds what gradients give to forces.
  private func addForces(_ i: Int, _ count: Int, _ pointers: TripletScratch.Pointers) {
    let gradients = UnsafeRawPointer(pointers.directions).assumingMemoryBound(to: Double.self)
    var force = SIMD3<Double>.zero
    for neighbour in 0..<count {
      let g = gradients + ((neighbour & ~3) &* 4 &+ (neighbour & 3))
      let (e, gradient) = (pointers.edges[neighbour], SIMD3(g[0], g[4], g[8]))
      force += gradient
      forces.add(gradient, edges.vectors[e], from: i, to: Int(edges.neighbours[e]))
    }
    forces.addForce(force, toCentre: i)
  }
}
