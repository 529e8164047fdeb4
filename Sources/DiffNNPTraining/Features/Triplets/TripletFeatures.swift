import DiffNNP

/// The functions of triplets (see `TripletBasis`), products of two moments of the neighbours' density about each atom.
struct TripletFeatures: LinearFeatures {
  let basis: TripletBasis

  var name: String { "triplets" }
  var count: Int { basis.count }
  var arithmetic: String { "for each of \(basis.typeCount) types \(basis.productCount) of triplets" }
  var rMax: Double { basis.rMax }
  var countsNeighbours: Bool { false }
  var choiceCount: Int { 60_000 }

  func makeEvaluator() -> any FeatureEvaluating { TripletFeatureEvaluator(basis) }

  /// Widths (kT) of the Gaussian prior of the coefficients about 0. Wider ones leave coefficients free that only
  /// surroundings outside the data would determine, and simulations find holes in the potential there.
  var priorCandidates: [Double] { [0.1, 0.3, 1] }
  var priorKey: String { "triplet_width" }
  var priorName: String { "width of triplets (kT)" }

  func addPrior(_ width: Double, to form: inout QuadraticForm, offset: Int, atomCount: Double) {
    for k in offset..<offset + count { form.matrix[k * form.count + k] += 1 / (width * width) }
  }

  func term(_ coefficients: [Double]) throws -> any Term { try TripletTerm(basis, coefficients: coefficients) }
}

/// Computes the functions of triplets. As an atom moves, the moments of its neighbours change by its contribution to them.
private final class TripletFeatureEvaluator: FeatureEvaluating {
  private let basis: TripletBasis
  private var edges = EdgeList()
  /// Moments of all atoms [atom][lm][p].
  private var moments = Buffer<Double>()
  /// Moments of the neighbours of the removed atom, as they were before its removal.
  private var saved = Buffer<Double>()
  private var own = Buffer<Double>()
  /// Contributions of the removed atom's images to its own moments, which are the same at all points.
  private var images = Buffer<Double>()
  /// Whether the cell is so small that an atom may have several images of another atom, or of itself, as neighbours.
  private var meetsImages = false
  /// Halves of products [type][l][p][q]; for gradients those for x, y and z, one after the other.
  private var halves = Buffer<Double>()
  private let harmonics = Buffer<Double>(zeros: 16)
  private let weights = Buffer<Double>(zeros: 16)
  private let slopes = Buffer<Double>(zeros: 48)

  init(_ basis: TripletBasis) {
    self.basis = basis
    own.reserveOrEnd(basis.momentCount)
    images.reserveOrEnd(basis.momentCount)
    halves.reserveOrEnd(3 * basis.typeCount * basis.halfCount)
  }

  func begin(_ configuration: Configuration, _ edges: EdgeList) {
    let cell = configuration.cell
    self.edges = edges
    meetsImages = (0..<3).contains { cell.periodic[$0] && cell.heights[$0] < 2 * basis.rMax }
    let moments = moments.reserveOrEnd(edges.centreCount * basis.momentCount)
    for i in 0..<edges.centreCount {
      basis.describe(i, edges, into: moments + i * basis.momentCount, harmonics.pointer)
    }
  }

  @inline(__always)
  private func type(_ i: Int) -> Int { Int(edges.types[i]) }

  @inline(__always)
  private func edges(of i: Int) -> Range<Int> { Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) }

  // MARK: Values

  func remove(_ i: Int) {
    let size = basis.momentCount
    var to = saved.reserveOrEnd(edges(of: i).count * size)
    images.clear(size)
    for e in edges(of: i) where edges.lengths[e] < basis.rMax {
      let (j, r) = (Int(edges.neighbours[e]), edges.lengths[e])
      let neighbour = moments.pointer + j * size
      to.update(from: neighbour, count: size)
      to += size
      basis.harmonics(-edges.vectors[e], r, into: harmonics.pointer)
      let radial = basis.neighbour(of: type(j), type: type(i), at: r)
      basis.add(radial, harmonics.pointer, sign: -1, to: neighbour)
      if j == i { basis.add(radial, harmonics.pointer, sign: 1, to: images.pointer) }
    }
  }

  /// The last change is undone first: a neighbour may have changed more than once, through several images.
  func restore(_ i: Int) {
    let size = basis.momentCount
    let near = edges(of: i).filter { edges.lengths[$0] < basis.rMax }
    for (k, e) in near.enumerated().reversed() {
      (moments.pointer + Int(edges.neighbours[e]) * size).update(from: saved.pointer + k * size, count: size)
    }
  }

  func put(_ i: Int, _ displacement: SIMD3<Double>, _ near: NearbyAtoms.Found, into f: UnsafeMutablePointer<Double>) {
    own.pointer.update(from: images.pointer, count: basis.momentCount)
    halves.clear(basis.typeCount * basis.halfCount)
    for k in 0..<near.count where near.distances[k] < basis.rMax {
      let e = Int(near.edges[k])
      addTriplets(i, Int(edges.neighbours[e]), edges.vectors[e] - displacement, near.distances[k])
    }
    if meetsImages { removeAgain(i, displacement, near) }
    basis.addHalves(of: own.pointer, to: halves.pointer + type(i) * basis.halfCount)
    fold(halves.pointer, into: f)
  }

  /// Adds the triplets in which one of the atoms i and j is the centre and the other, at `vector` (Å) from i to j, a
  /// neighbour.
  private func addTriplets(_ i: Int, _ j: Int, _ vector: SIMD3<Double>, _ r: Double) {
    basis.harmonics(vector, r, into: harmonics.pointer)
    basis.add(basis.neighbour(of: type(i), type: type(j), at: r), harmonics.pointer, sign: 1, to: own.pointer)
    basis.harmonics(-vector, r, into: harmonics.pointer)
    let radial = basis.neighbour(of: type(j), type: type(i), at: r)
    let neighbour = moments.pointer + j * basis.momentCount
    basis.addHalves(
      adding: radial, harmonics.pointer, to: neighbour, halves.pointer + type(j) * basis.halfCount)
    // Another image of atom i may follow, and forms triplets about j with this one.
    if meetsImages { basis.add(radial, harmonics.pointer, sign: 1, to: neighbour) }
  }

  /// Removes atom i, which `addTriplets` has put at a point, from the moments of its neighbours there.
  private func removeAgain(_ i: Int, _ displacement: SIMD3<Double>, _ near: NearbyAtoms.Found) {
    for k in 0..<near.count where near.distances[k] < basis.rMax {
      let (e, r) = (Int(near.edges[k]), near.distances[k])
      let j = Int(edges.neighbours[e])
      basis.harmonics(displacement - edges.vectors[e], r, into: harmonics.pointer)
      basis.add(
        basis.neighbour(of: type(j), type: type(i), at: r), harmonics.pointer, sign: -1,
        to: moments.pointer + j * basis.momentCount)
    }
  }

  /// Writes the products of all types from their halves.
  private func fold(_ halves: UnsafePointer<Double>, into f: UnsafeMutablePointer<Double>) {
    for type in 0..<basis.typeCount {
      basis.fold(halves + type * basis.halfCount, into: f + type * basis.productCount)
    }
  }

  func sums(into f: UnsafeMutablePointer<Double>) {
    halves.clear(basis.typeCount * basis.halfCount)
    for i in 0..<edges.centreCount {
      basis.addHalves(of: moments.pointer + i * basis.momentCount, to: halves.pointer + type(i) * basis.halfCount)
    }
    fold(halves.pointer, into: f)
  }

  // MARK: Gradients

  func gradients(of i: Int, into f: UnsafeMutablePointer<Double>, stride: Int) {
    let size = basis.typeCount * basis.halfCount
    halves.clear(3 * size)
    for e in edges(of: i) where edges.neighbours[e] != Int32(i) && edges.lengths[e] < basis.rMax {
      let (j, vector, r) = (Int(edges.neighbours[e]), edges.vectors[e], edges.lengths[e])
      addGradient(centre: i, neighbour: j, vector, r, sign: -1)
      addGradient(centre: j, neighbour: i, -vector, r, sign: 1)
    }
    for axis in 0..<3 { fold(halves.pointer + axis * size, into: f + axis * stride) }
  }

  /// Adds `sign` times the derivative of the centre's products with respect to the vector to a neighbour.
  private func addGradient(centre: Int, neighbour: Int, _ vector: SIMD3<Double>, _ r: Double, sign: Double) {
    let radial = basis.neighbour(of: type(centre), type: type(neighbour), at: r)
    let unit = vector / r
    let (harmonics, harmonicSlopes) = (harmonics.pointer, slopes.pointer)
    basis.harmonics(vector, r, into: harmonics)
    basis.harmonicSlopes(unit, r, harmonics, scratch: weights.pointer, into: harmonicSlopes)
    let d = basis.channelCount
    for axis in 0..<3 {
      var base =
        halves.pointer + (axis * basis.typeCount + type(centre)) * basis.halfCount + radial.channel * d
      var (row, lm) = (UnsafePointer(moments.pointer + centre * basis.momentCount), 0)
      for l in 0...basis.lMax {
        for _ in 0..<(2 * l + 1) {
          for n in 0..<radial.width {
            let slope = radial.slopes[n] * unit[axis] * harmonics[lm] + radial.values[n] * harmonicSlopes[3 * lm + axis]
            let (left, to) = (sign * slope / Double(2 * l + 1), base + n * d)
            for q in 0..<d { to[q] += left * row[q] }
          }
          row += d
          lm += 1
        }
        base += d * d
      }
    }
  }
}
