import DiffNNP

/// Values and gradients of the functions of a `LinearBasis` as one atom of a configuration moves and the others stay.
/// Holds the buffers of one thread.
final class AtomFeatures {
  private let basis: LinearBasis
  /// Largest displacement at which the functions of an atom are asked for (Å).
  private let reach: Double
  /// Inverse of the knot spacing of pairs (1/Å).
  private let inverseSpacing: Double
  private let search = NeighbourSearch()
  let edges = EdgeList()
  /// Moments of all atoms [atom][lm][p].
  private var moments = Values<Double>()
  /// Moments of the neighbours of the atom that is removed, before it was.
  private var saved = Values<Double>()
  private var own = Values<Double>()
  /// Contributions of the images of the removed atom to its own moments, wherever it is put.
  private var images = Values<Double>()
  /// Whether the cell is so small that an atom may meet another, or itself, through two images at once.
  private var meetsImages = false
  /// Halves of products [type][l][p][q]; in gradients for x, y and z one after the other.
  private var halves = Values<Double>()
  private let harmonics = Values<Double>(16)
  private let weights = Values<Double>(16)
  private let slopes = Values<Double>(48)
  /// The atoms around the one that is removed.
  private let nearby = NearbyAtoms()

  init(_ basis: LinearBasis, reach: Double) {
    self.basis = basis
    self.reach = reach
    inverseSpacing = 1 / basis.pairs.spacing
    guard let triplets = basis.triplets else { return }
    own = Values<Double>(triplets.momentCount)
    images = Values<Double>(triplets.momentCount)
    halves = Values<Double>(3 * triplets.typeCount * triplets.halfCount)
  }

  /// Takes up a configuration.
  func begin(_ configuration: Configuration) throws {
    try search.fill(edges, configuration, cutoff: basis.rMax + reach)
    guard let t = basis.triplets else { return }
    let cell = configuration.cell
    meetsImages = (0..<3).contains { cell.periodic[$0] && cell.heights[$0] < 2 * t.rMax }
    moments.reserve(edges.centreCount * t.momentCount)
    for i in 0..<edges.centreCount {
      t.describe(i, edges, into: moments.start + i * t.momentCount, harmonics.start)
    }
  }

  @inline(__always)
  private func type(_ i: Int) -> Int { Int(edges.types[i]) }

  /// The pair of types at the ends of an edge.
  @inline(__always)
  func pair(_ i: Int, _ e: Int) -> Int {
    TypePairs.index(type(i), type(Int(edges.neighbours[e])), typeCount: basis.pairs.typeCount)
  }

  @inline(__always)
  private func forEachTriplet(of i: Int, _ t: TripletBasis, _ body: (Int, Int, Double) -> Void) {
    for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.lengths[e] < t.rMax {
      body(e, Int(edges.neighbours[e]), edges.lengths[e])
    }
  }

  // MARK: Values

  /// Removes atom i from the moments of its neighbours, so that it can be put elsewhere.
  func takeAway(_ i: Int) {
    guard let t = basis.triplets else { return }
    let size = t.momentCount
    saved.reserve((Int(edges.offsets[i + 1]) - Int(edges.offsets[i])) * size)
    images.clear(size)
    var to = saved.start
    forEachTriplet(of: i, t) { e, j, r in
      let neighbour = moments.start + j * size
      to.update(from: neighbour, count: size)
      to += size
      t.harmonics(-edges.vectors[e], r, into: harmonics.start)
      let radial = t.neighbour(of: type(j), type: type(i), at: r)
      t.add(radial, harmonics.start, sign: -1, to: neighbour)
      if j == i { t.add(radial, harmonics.start, sign: 1, to: images.start) }
    }
  }

  /// Undoes `takeAway`, the last change first: a neighbour may have changed more than once, through several images.
  func putBack(_ i: Int) {
    guard let t = basis.triplets else { return }
    let size = t.momentCount
    let range = Int(edges.offsets[i])..<Int(edges.offsets[i + 1])
    var from = saved.start + range.reduce(0) { edges.lengths[$1] < t.rMax ? $0 + size : $0 }
    for e in range.reversed() where edges.lengths[e] < t.rMax {
      from -= size
      (moments.start + Int(edges.neighbours[e]) * size).update(from: from, count: size)
    }
  }

  /// Prepares for putting atom i, which is removed, at points within `reach` (Å) of its own position.
  func look(about i: Int, reach: Double) { nearby.gather(i, edges, within: basis.rMax + reach) }

  /// Writes by how much all functions grow when atom i, which is removed, is put at `displacement` (Å) from its
  /// position, within the reach of `look`; without pairs of the atom with its own images, which are the same
  /// everywhere.
  func put(_ i: Int, _ displacement: SIMD3<Double>, into f: UnsafeMutablePointer<Double>) {
    let pairs = basis.pairs
    f.update(repeating: 0, count: pairs.count)
    if let t = basis.triplets {
      own.start.update(from: images.start, count: t.momentCount)
      halves.clear(t.typeCount * t.halfCount)
    }
    let near = nearby.find(within: basis.rMax, of: displacement)
    for k in 0..<near.count {
      let (e, r) = (Int(near.edges[k]), near.distances[k])
      if r < pairs.rMax { pairs.add(1, pair: pair(i, e), at: r, inverseSpacing, to: f) }
      if let triplets = basis.triplets, r < triplets.rMax {
        addTriplets(i, Int(edges.neighbours[e]), edges.vectors[e] - displacement, r, triplets)
      }
    }
    guard let t = basis.triplets else { return }
    if meetsImages { takeAway(near.edges, near.distances, near.count, of: i, displacement, t) }
    t.addHalves(of: own.start, to: halves.start + type(i) * t.halfCount)
    for a in 0..<t.typeCount {
      t.fold(halves.start + a * t.halfCount, into: f + pairs.count + a * t.productCount)
    }
  }

  /// Adds the triplets in which atoms i and j, at `vector` (Å) from it, are centre and neighbour of each other.
  private func addTriplets(_ i: Int, _ j: Int, _ vector: SIMD3<Double>, _ r: Double, _ t: TripletBasis) {
    t.harmonics(vector, r, into: harmonics.start)
    t.add(t.neighbour(of: type(i), type: type(j), at: r), harmonics.start, sign: 1, to: own.start)
    t.harmonics(-vector, r, into: harmonics.start)
    let radial = t.neighbour(of: type(j), type: type(i), at: r)
    let neighbour = moments.start + j * t.momentCount
    t.addHalves(adding: radial, harmonics.start, to: neighbour, halves.start + type(j) * t.halfCount)
    // Another image of atom i may follow, and then sees this one beside j.
    if meetsImages { t.add(radial, harmonics.start, sign: 1, to: neighbour) }
  }

  /// Removes atom i, which was put at a point for a moment, from the moments of its neighbours there.
  private func takeAway(
    _ found: UnsafeMutablePointer<Int32>, _ distances: UnsafeMutablePointer<Double>, _ count: Int, of i: Int,
    _ displacement: SIMD3<Double>, _ t: TripletBasis
  ) {
    for k in 0..<count where distances[k] < t.rMax {
      let (e, r) = (Int(found[k]), distances[k])
      let j = Int(edges.neighbours[e])
      t.harmonics(displacement - edges.vectors[e], r, into: harmonics.start)
      t.add(
        t.neighbour(of: type(j), type: type(i), at: r), harmonics.start, sign: -1, to: moments.start + j * t.momentCount
      )
    }
  }

  // MARK: Gradients

  /// Writes the gradients of all functions with respect to the position of atom i (1/Å) [3][count].
  func gradients(of i: Int, into f: UnsafeMutablePointer<Double>) {
    let (pairs, count) = (basis.pairs, basis.count)
    f.update(repeating: 0, count: 3 * count)
    halves.clear(3 * (basis.triplets?.typeCount ?? 0) * (basis.triplets?.halfCount ?? 0))
    for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.neighbours[e] != Int32(i) {
      let (vector, r) = (edges.vectors[e], edges.lengths[e])
      if r < pairs.rMax { addPairGradient(pair(i, e), vector / -r, r, to: f) }
      guard let t = basis.triplets, r < t.rMax else { continue }
      let j = Int(edges.neighbours[e])
      addTripletGradient(centre: i, neighbour: j, vector, r, sign: -1, t)
      addTripletGradient(centre: j, neighbour: i, -vector, r, sign: 1, t)
    }
    guard let t = basis.triplets else { return }
    for axis in 0..<3 {
      for a in 0..<t.typeCount {
        t.fold(
          halves.start + (axis * t.typeCount + a) * t.halfCount,
          into: f + axis * count + pairs.count + a * t.productCount)
      }
    }
  }

  private func addPairGradient(_ p: Int, _ unit: SIMD3<Double>, _ r: Double, to f: UnsafeMutablePointer<Double>) {
    let intervals = basis.pairs.intervals
    let (m, t) = basis.pairs.interval(r / basis.pairs.spacing)
    let slopes = CubicBSpline.basis(t).slope / basis.pairs.spacing
    for axis in 0..<3 {
      let to = f + axis * basis.count + p * intervals + m
      for k in 0..<min(4, intervals - m) { to[k] += slopes[k] * unit[axis] }
    }
  }

  /// Adds `sign` times the derivative of the centre's products with respect to the vector to a neighbour.
  private func addTripletGradient(
    centre: Int, neighbour: Int, _ vector: SIMD3<Double>, _ r: Double, sign: Double, _ t: TripletBasis
  ) {
    let radial = t.neighbour(of: type(centre), type: type(neighbour), at: r)
    let unit = vector / r
    t.harmonics(vector, r, into: harmonics.start)
    t.harmonicSlopes(unit, r, harmonics.start, scratch: weights.start, into: slopes.start)
    let d = t.channelCount
    for axis in 0..<3 {
      var base = halves.start + (axis * t.typeCount + type(centre)) * t.halfCount + radial.channel * d
      var (row, lm) = (UnsafePointer(moments.start + centre * t.momentCount), 0)
      for l in 0...t.lMax {
        for _ in 0..<(2 * l + 1) {
          for n in 0..<radial.width {
            let slope =
              radial.slopes[n] * unit[axis] * harmonics.start[lm] + radial.values[n] * slopes.start[3 * lm + axis]
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
