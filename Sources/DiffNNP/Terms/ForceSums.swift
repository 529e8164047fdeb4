/// Sums of forces and virials: gradients of the energy by edge vectors are added here for every term of a potential,
/// and nowhere else. Nil where unwanted.
public struct ForceSums {
  /// Forces (eV/Å) [atomCount][3].
  var forces: UnsafeMutablePointer<Double>?
  /// As in `Evaluator.Outputs`.
  var virial: UnsafeMutablePointer<Double>?
  var atomVirials: UnsafeMutablePointer<Double>?
  var centroidVirials: UnsafeMutablePointer<Double>?
  var folding = ForceFolding.neighbours

  private var hasVirials: Bool { virial != nil || atomVirials != nil || centroidVirials != nil }
  var isEmpty: Bool { forces == nil && !hasVirials }

  func clear(atomCount: Int) {
    forces?.update(repeating: 0, count: 3 * atomCount)
    virial?.update(repeating: 0, count: 6)
    atomVirials?.update(repeating: 0, count: 6 * atomCount)
    centroidVirials?.update(repeating: 0, count: 9 * atomCount)
  }

  /// Adds what a gradient `g` with respect to an edge's vector `r` gives to its far end, and to the virials. The force
  /// g on the centre is left to `addForce`, which adds the sum over all its edges.
  @inline(__always)
  func add(_ g: SIMD3<Double>, _ r: SIMD3<Double>, from centre: Int, to neighbour: Int) {
    if folding == .neighbours, let forces {
      let f = forces + 3 &* neighbour
      f[0] -= g.x
      f[1] -= g.y
      f[2] -= g.z
    }
    if hasVirials { addVirials(g, r, from: centre, to: neighbour) }
  }

  /// Adds the sum of the gradients of a centre's edges.
  @inline(__always)
  func addForce(_ g: SIMD3<Double>, toCentre centre: Int) {
    guard let forces else { return }
    let force = folding == .centres ? g + g : g
    let f = forces + 3 &* centre
    f[0] += force.x
    f[1] += force.y
    f[2] += force.z
  }

  /// Adds the forces and virials of some atoms in other sums.
  func add(_ other: ForceSums, _ atoms: Range<Int>) {
    assert((forces == nil) == (other.forces == nil) && folding == other.folding, "these are sums of different kinds")
    func add(_ a: UnsafeMutablePointer<Double>?, _ b: UnsafeMutablePointer<Double>?, _ width: Int) {
      guard let a, let b else { return }
      for k in atoms.lowerBound * width..<atoms.upperBound * width { a[k] += b[k] }
    }
    add(forces, other.forces, 3)
    add(atomVirials, other.atomVirials, 6)
    add(centroidVirials, other.centroidVirials, 9)
  }

  /// Adds the virial of all in other sums.
  func addVirial(_ other: ForceSums) {
    guard let virial, let addend = other.virial else { return }
    for k in 0..<6 { virial[k] += addend[k] }
  }

  // Apart, to keep loops over edges small.
  @inline(never)
  private func addVirials(_ g: SIMD3<Double>, _ r: SIMD3<Double>, from centre: Int, to neighbour: Int) {
    // For a pair term alone, the edge from the far end has the same virials, and gives them to this centre.
    let end = folding == .centres ? centre : neighbour
    add(-1, r, g, to: virial)
    if let atomVirials {
      add(-0.5, r, g, to: atomVirials + 6 * centre)
      add(-0.5, r, g, to: atomVirials + 6 * end)
    }
    if let centroidVirials {
      let w = centroidVirials + 9 * end
      w[0] -= r.x * g.x
      w[1] -= r.y * g.y
      w[2] -= r.z * g.z
      w[3] -= r.x * g.y
      w[4] -= r.x * g.z
      w[5] -= r.y * g.z
      w[6] -= r.y * g.x
      w[7] -= r.z * g.x
      w[8] -= r.z * g.y
    }
  }

  @inline(__always)
  private func add(
    _ factor: Double, _ r: SIMD3<Double>, _ g: SIMD3<Double>, to virial: UnsafeMutablePointer<Double>?
  ) {
    guard let virial else { return }
    virial[0] += factor * r.x * g.x
    virial[1] += factor * r.y * g.y
    virial[2] += factor * r.z * g.z
    virial[3] += 0.5 * factor * (r.x * g.y + r.y * g.x)
    virial[4] += 0.5 * factor * (r.x * g.z + r.z * g.x)
    virial[5] += 0.5 * factor * (r.y * g.z + r.z * g.y)
  }
}

/// Sums of forces and virials that are a thread's own, while others sum theirs. Their memory only grows.
struct OwnForceSums: ~Copyable {
  private(set) var sums = ForceSums()
  private var buffer = Buffer<Double>()

  /// Makes room for the sums that `wanted` has, for all atoms, and clears them.
  mutating func begin(like wanted: ForceSums, atomCount: Int) throws {
    try reserve(atomCount: atomCount)
    beginReserved(like: wanted, atomCount: atomCount)
  }

  mutating func reserve(atomCount: Int) throws { try buffer.reserve(6 + 18 * atomCount) }

  /// Clears the sums that `wanted` has, for which there must be room.
  mutating func beginReserved(like wanted: ForceSums, atomCount: Int) {
    assert(buffer.holds(6 + 18 * atomCount))
    var place = buffer.pointer
    func take(_ isWanted: Bool, _ count: Int) -> UnsafeMutablePointer<Double>? {
      defer { if isWanted { place += count } }
      return isWanted ? place : nil
    }
    sums = ForceSums(
      forces: take(wanted.forces != nil, 3 * atomCount), virial: take(wanted.virial != nil, 6),
      atomVirials: take(wanted.atomVirials != nil, 6 * atomCount),
      centroidVirials: take(wanted.centroidVirials != nil, 9 * atomCount), folding: wanted.folding)
    sums.clear(atomCount: atomCount)
  }
}
