#if canImport(Glibc)
  import Glibc
#endif

/// Finds all pairs closer than a cutoff in a (partly) periodic cell, in time linear in the number of atoms.
///
/// Atoms are wrapped, images within the cutoff of the cell are added as points of their own, and all points are sorted
/// into bins at least one cutoff wide, in fractional coordinates. This is right for any cell shape, also where the
/// cutoff exceeds half the cell or the cell itself.
public final class NeighbourSearch: EdgeSource {
  /// Number of points of the system begun last: atoms first, then images.
  private var pointCount = 0
  private var points = Buffer<SIMD3<Double>>()
  private var owners = Buffer<Int32>()
  private var bins = Buffer<Int32>()
  private var binStarts = Buffer<Int32>()
  private var fractions = Buffer<SIMD3<Double>>()
  private var unpacked = Buffer<SIMD3<Double>>()
  /// Coordinates and owners of points, bin by bin; coordinates apart, so that distances are worked out for several at
  /// once.
  private var sortedX = Buffer<Double>()
  private var sortedY = Buffer<Double>()
  private var sortedZ = Buffer<Double>()
  private var sortedOwners = Buffer<Int32>()
  private var types = Buffer<Int32>()
  private var grid = Grid(origin: .zero, inverseWidth: .zero, counts: .one)
  private var squaredCutoff = 0.0
  /// Number of atoms of the system begun last, all of which are centres.
  public private(set) var atomCount = 0
  public var centreCount: Int { atomCount }

  /// Bounds on what is worth trying: images of each atom, and coordinates (Å) that still resolve distances between
  /// atoms.
  private static let mostImages = 10000.0
  private static let farthest = 1e10

  /// The number by which messages name the first atom.
  private let firstAtom: Int

  /// A search that has no system yet.
  /// - Parameter firstAtom: what messages call the first atom: 1 as in files, 0 as in arrays.
  public init(firstAtom: Int = 1) { self.firstAtom = firstAtom }

  /// Fills `edges` with all pairs closer than `cutoff` (Å). Edges point at atoms themselves, not at images.
  /// - Throws: where a position is not finite, two atoms coincide, or the cell is so small against the cutoff that its
  ///   images would not fit into memory.
  public func fill(
    _ edges: EdgeList, cell: Cell, positions: UnsafeBufferPointer<SIMD3<Double>>, types: UnsafeBufferPointer<Int32>,
    cutoff: Double
  ) throws {
    try begin(cell: cell, positions: positions, types: types, cutoff: cutoff)
    try fill(edges)
  }

  /// Takes over a system whose edges are asked for by `fill(_:centres:)`.
  /// - Throws: as `fill`.
  public func begin(
    cell: Cell, positions: UnsafeBufferPointer<SIMD3<Double>>, types: UnsafeBufferPointer<Int32>, cutoff: Double
  ) throws {
    assert(types.count == positions.count)
    atomCount = positions.count
    squaredCutoff = cutoff * cutoff
    let copy = try self.types.reserve(atomCount)
    for i in 0..<atomCount { copy[i] = types[i] }
    guard atomCount > 0 else { return }
    grid = try addPoints(cell: cell, positions: positions, cutoff: cutoff)
    try sortPoints(grid)
  }

  /// Takes over a system whose positions are given as coordinates one after the other (Å) [atoms][3].
  /// - Throws: as `fill`.
  public func begin(
    cell: Cell, packedPositions x: UnsafePointer<Double>, types: UnsafeBufferPointer<Int32>, cutoff: Double
  ) throws {
    let copy = try unpacked.reserve(types.count)
    for i in 0..<types.count { copy[i] = SIMD3(x[3 * i], x[3 * i + 1], x[3 * i + 2]) }
    try begin(
      cell: cell, positions: UnsafeBufferPointer(start: copy, count: types.count), types: types, cutoff: cutoff)
  }

  public func begin(_ edges: EdgeList) throws {
    try edges.begin(centreCount: atomCount, atomCount: atomCount)
    edges.types.update(from: types.pointer, count: atomCount)
  }

  public func fill(_ edges: EdgeList, centres: Range<Int>) throws {
    edges.restart(with: centres)
    try edges.squares.reserve(pointCount)
    try edges.near.reserve(pointCount)
    for i in centres {
      let zeros = try fillRow(i, edges)
      // Each atom finds itself.
      guard zeros == 1 else { throw coincident(i) }
      edges.close(centre: i)
    }
  }

  /// Adds the edges of an atom, and returns how many points lie where it is.
  private func fillRow(_ i: Int, _ edges: EdgeList) throws -> Int {
    let (centre, bin) = (points.pointer[i], grid.coordinates(ofBin: Int(bins.pointer[i])))
    let binStarts = binStarts.pointer
    var found = 0
    for z in max(bin.z - 1, 0)...min(bin.z + 1, grid.counts.z - 1) {
      for y in max(bin.y - 1, 0)...min(bin.y + 1, grid.counts.y - 1) {
        // Bins along x are neighbours in memory: one run covers up to three of them.
        let row = (z * grid.counts.y + y) * grid.counts.x
        let first = Int(binStarts[row + max(bin.x - 1, 0)])
        let last = Int(binStarts[row + min(bin.x + 1, grid.counts.x - 1) + 1])
        found = find(first..<last, centre, edges, behind: found)
      }
    }
    return try append(found, centre, edges)
  }

  /// Writes the points of a run that are near into the list's `near`, behind those present, with their squared
  /// distances, and returns how many there are then.
  @inline(__always)
  private func find(_ run: Range<Int>, _ c: SIMD3<Double>, _ edges: EdgeList, behind count: Int) -> Int {
    let (x, y, z) = (sortedX.pointer, sortedY.pointer, sortedZ.pointer)
    let (squares, near) = (edges.squares.pointer, edges.near.pointer)
    assert(0...pointCount ~= run.upperBound && count <= pointCount, "points \(run) of \(pointCount)")
    assert(edges.squares.holds(pointCount) && edges.near.holds(pointCount))
    for k in run {
      let (dx, dy, dz) = (x[k] - c.x, y[k] - c.y, z[k] - c.z)
      squares[k] = dx * dx + dy * dy + dz * dz
    }
    var found = count
    for k in run {
      // Written in any case, kept by counting on where the sign is negative: cheaper than a branch that nobody can
      // predict.
      near[found] = k
      found &+= Int((squares[k] - squaredCutoff).bitPattern >> 63)
    }
    return found
  }

  /// Adds edges to the first points in `near`, and returns how many of them lie where the centre is.
  private func append(_ found: Int, _ c: SIMD3<Double>, _ edges: EdgeList) throws -> Int {
    let (x, y, z, owners) = (sortedX.pointer, sortedY.pointer, sortedZ.pointer, sortedOwners.pointer)
    let (squares, near) = (edges.squares.pointer, edges.near.pointer)
    guard edges.count + found <= Int32.max else {
      throw DiffNNPError(
        "\(atomCount) atoms have more than \(Int32.max) neighbours within the cutoff; compute fewer atoms at once")
    }
    try edges.reserve(found)
    let ends = edges.neighbours + edges.count
    let vectors = edges.vectors + edges.count
    let lengths = edges.lengths + edges.count
    var added = 0
    assert(edges.near.holds(found))
    for n in 0..<found {
      let k = near[n]
      assert(0..<pointCount ~= k && 0..<Int32(atomCount) ~= owners[k])
      ends[added] = owners[k]
      vectors[added] = SIMD3(x[k] - c.x, y[k] - c.y, z[k] - c.z)
      lengths[added] = squares[k]
      added &+= squares[k] > 0 ? 1 : 0
    }
    edges.extend(by: added)
    return found - added
  }

  /// The error to throw where another atom coincides with atom i, the first of them.
  private func coincident(_ i: Int) -> DiffNNPError {
    let (points, owners) = (points.pointer, owners.pointer)
    let j = (0..<pointCount).first { owners[$0] != Int32(i) && points[$0] == points[i] }.map { Int(owners[$0]) } ?? i
    return DiffNNPError("atoms \(j + firstAtom) and \(i + firstAtom) are in one place; remove one of them")
  }

  /// Fills `edges` with all pairs of a configuration closer than `cutoff` (Å).
  /// - Throws: as `fill(_:cell:positions:types:cutoff:)`.
  public func fill(_ edges: EdgeList, _ configuration: Configuration, cutoff: Double) throws {
    try begin(configuration, cutoff: cutoff)
    try fill(edges)
  }

  /// Takes over a configuration whose edges closer than `cutoff` (Å) are asked for by `fill(_:centres:)`.
  /// - Throws: as `fill(_:cell:positions:types:cutoff:)`.
  public func begin(_ configuration: Configuration, cutoff: Double) throws {
    let types = configuration.types.map { Int32($0) }
    try configuration.positions.withUnsafeBufferPointer { x in
      try types.withUnsafeBufferPointer {
        try begin(cell: configuration.cell, positions: x, types: $0, cutoff: cutoff)
      }
    }
  }

  private struct Grid {
    var origin: SIMD3<Double>
    var inverseWidth: SIMD3<Double>
    var counts: SIMD3<Int>

    func bin(_ s: SIMD3<Double>) -> Int32 {
      let c = ((s - origin) * inverseWidth).clamped(
        lowerBound: .zero, upperBound: [Double(counts.x - 1), Double(counts.y - 1), Double(counts.z - 1)])
      assert(c.x >= 0 && c.y >= 0 && c.z >= 0, "point \(s) is in no bin")
      return Int32((Int(c.z) * counts.y + Int(c.y)) * counts.x + Int(c.x))
    }

    func coordinates(ofBin b: Int) -> SIMD3<Int> {
      [b % counts.x, (b / counts.x) % counts.y, b / (counts.x * counts.y)]
    }
  }

  /// Fills `points`, `owners` and `bins`: first the atoms themselves, then the images near the cell.
  private func addPoints(cell: Cell, positions: UnsafeBufferPointer<SIMD3<Double>>, cutoff: Double) throws -> Grid {
    let n = positions.count
    let margin = cutoff / cell.heights
    var images = 1.0
    for k in 0..<3 where cell.periodic[k] { images *= 1 + 2 * margin[k].rounded(.up) }
    guard images < Self.mostImages else {
      throw DiffNNPError(
        "the cell is too small for a cutoff of \(cutoff) Å: each atom would need \(Int(min(images, 1e18))) images")
    }
    var low = SIMD3<Double>(repeating: .infinity)
    var high = -low
    let fractions = try fractions.reserve(n)
    for i in 0..<n {
      let x = positions[i]
      guard x.x.isFinite, x.y.isFinite, x.z.isFinite else {
        throw DiffNNPError("position of atom \(i + firstAtom) is not finite: \(x.x) \(x.y) \(x.z)")
      }
      guard abs(x.x) < Self.farthest, abs(x.y) < Self.farthest, abs(x.z) < Self.farthest else {
        throw DiffNNPError("position of atom \(i + firstAtom) is beyond all reason: \(x.x) \(x.y) \(x.z) Å")
      }
      var s = cell.fractional(x)
      for k in 0..<3 where cell.periodic[k] {
        s[k] -= s[k].rounded(.down)
        if s[k] >= 1 { s[k] = 0 }  // a tiny negative number rounds up to 1
      }
      low = pointwiseMin(low, s)
      high = pointwiseMax(high, s)
      fractions[i] = s
    }
    // Points lie in [low - margin, high + margin]: bins as many as fit, but not many more than there are atoms.
    var grid = Grid(origin: low - margin, inverseWidth: .zero, counts: .one)
    let mostBins = max(3, Int(cbrt(Double(n))) * 2 + 3)
    for k in 0..<3 {
      let span = high[k] - low[k] + 2 * margin[k]
      let bins = min((span / margin[k]).rounded(.down), Double(mostBins))
      grid.counts[k] = max(1, Int(bins))
      grid.inverseWidth[k] = Double(grid.counts[k]) / span
    }
    let (from, to) = (low - margin, high + margin)
    var count = 0
    for i in 0..<n {
      var images = 1
      for k in 0..<3 { images *= Self.images(fractions[i][k], from[k], to[k], isPeriodic: cell.periodic[k]).count }
      count += images
    }
    guard count <= Int32.max else {
      throw DiffNNPError(
        "\(n) atoms have \(count) images within the cutoff of \(cutoff) Å; give a larger cell or fewer atoms")
    }
    try points.reserve(count)
    try owners.reserve(count)
    try bins.reserve(count)
    pointCount = 0
    for i in 0..<n { append(cell, fractions[i], owner: i, grid) }
    for i in 0..<n { appendImages(cell, fractions[i], owner: i, from, to, grid) }
    assert(pointCount == count, "room for \(count) points, but there are \(pointCount)")
    return grid
  }

  private func append(_ cell: Cell, _ s: SIMD3<Double>, owner: Int, _ grid: Grid) {
    assert(points.holds(pointCount + 1) && owners.holds(pointCount + 1) && bins.holds(pointCount + 1))
    points.pointer[pointCount] = cell.cartesian(s)
    owners.pointer[pointCount] = Int32(owner)
    bins.pointer[pointCount] = grid.bin(s)
    pointCount += 1
  }

  /// By how many cell vectors a point may be moved so that its fraction `s` is within bounds, or stays as it is.
  @inline(__always)
  private static func images(_ s: Double, _ low: Double, _ high: Double, isPeriodic: Bool) -> ClosedRange<Int> {
    guard isPeriodic else { return 0...0 }
    return Int((low - s).rounded(.up))...max(Int((high - s).rounded(.down)), 0)
  }

  private func appendImages(
    _ cell: Cell, _ s: SIMD3<Double>, owner: Int, _ low: SIMD3<Double>, _ high: SIMD3<Double>, _ grid: Grid
  ) {
    func range(_ k: Int) -> ClosedRange<Int> { Self.images(s[k], low[k], high[k], isPeriodic: cell.periodic[k]) }
    for nz in range(2) {
      for ny in range(1) {
        for nx in range(0) where nx != 0 || ny != 0 || nz != 0 {
          append(cell, s + [Double(nx), Double(ny), Double(nz)], owner: owner, grid)
        }
      }
    }
  }

  /// Counting sort of the points by bin.
  private func sortPoints(_ grid: Grid) throws {
    let binCount = grid.counts.x * grid.counts.y * grid.counts.z
    let (points, owners, bins, total) = (points.pointer, owners.pointer, bins.pointer, pointCount)
    let binStarts = try binStarts.reserve(binCount + 1)
    binStarts.update(repeating: 0, count: binCount + 1)
    for p in 0..<total { binStarts[Int(bins[p]) + 1] += 1 }
    for b in 0..<binCount { binStarts[b + 1] += binStarts[b] }
    let (x, y, z) = (try sortedX.reserve(total), try sortedY.reserve(total), try sortedZ.reserve(total))
    let owner = try sortedOwners.reserve(total)
    for p in stride(from: total - 1, through: 0, by: -1) {
      // Filling from the end, binStarts[b + 1] counts down to the start of bin b.
      let b = Int(bins[p]) + 1
      assert(1...binCount ~= b)
      binStarts[b] -= 1
      let k = Int(binStarts[b])
      (x[k], y[k], z[k]) = (points[p].x, points[p].y, points[p].z)
      owner[k] = owners[p]
    }
    // Now binStarts[b + 1] is the start of bin b: shift down by one.
    for b in 0..<binCount { binStarts[b] = binStarts[b + 1] }
    binStarts[binCount] = Int32(total)
  }
}
