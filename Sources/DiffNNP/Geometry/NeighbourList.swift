/// Atoms with a neighbour list made elsewhere, in the form LAMMPS has it. Nothing here is owned: the pointers must
/// live as long as the value is used.
///
/// The first `localCount` atoms are computed; those behind are "ghosts": periodic images, or copies of atoms that
/// belong to another domain. Atoms of type -1, and local atoms that `listed` leaves out, are left out.
public struct NeighbourList {
  /// Number of local atoms: those that are centres.
  public var localCount: Int
  /// Number of local atoms and ghosts together.
  public var allCount: Int
  /// Positions (Å) [allCount][3].
  public var positions: UnsafePointer<Double>
  /// Type of each atom, -1 for atoms that are left out [allCount].
  public var types: UnsafePointer<Int32>
  /// Local atoms that have neighbours (LAMMPS: ilist) [listedCount].
  public var listed: UnsafePointer<Int32>
  /// Number of entries of `listed` (LAMMPS: inum).
  public var listedCount: Int
  /// Number of neighbours of each local atom (LAMMPS: numneigh) [localCount].
  public var counts: UnsafePointer<Int32>
  /// Neighbours of each local atom (LAMMPS: firstneigh) [localCount][counts[i]]. Both directions of a pair are present.
  public var neighbours: UnsafePointer<UnsafeMutablePointer<Int32>?>
  /// Bits of a neighbour that are its index; LAMMPS keeps the kind of bond in the others.
  public var mask: Int32
  /// Weights of bonded neighbours by kind of bond; nil where every neighbour counts fully.
  public var weights: SpecialWeights?
  /// The local atom of which each atom is an image [allCount]. Where given, edges point at owners, never at ghosts.
  public var owners: UnsafePointer<Int32>?
  /// The numbers by which messages name atoms [allCount]; nil where messages name atoms by their indices.
  public var ids: AtomIDs?

  /// A neighbour list from the caller's pointers, which must live as long as it is used.
  public init(
    localCount: Int, allCount: Int, positions: UnsafePointer<Double>, types: UnsafePointer<Int32>,
    listed: UnsafePointer<Int32>, listedCount: Int, counts: UnsafePointer<Int32>,
    neighbours: UnsafePointer<UnsafeMutablePointer<Int32>?>, mask: Int32, weights: SpecialWeights? = nil,
    owners: UnsafePointer<Int32>?, ids: AtomIDs? = nil
  ) {
    self.localCount = localCount
    self.allCount = allCount
    self.positions = positions
    self.types = types
    self.listed = listed
    self.listedCount = listedCount
    self.counts = counts
    self.neighbours = neighbours
    self.mask = mask
    self.weights = weights
    self.owners = owners
    self.ids = ids
  }

  /// The number by which messages name atom i: its entry in `ids`, or its index.
  public func name(_ i: Int) -> String {
    switch ids {
    case .narrow(let ids): "\(ids[i])"
    case .wide(let ids): "\(ids[i])"
    case nil: "\(i)"
    }
  }
}

/// Factors on the interaction with neighbours that are bonded to an atom (LAMMPS: special_bonds). The kind of bond, 0
/// to 3, is in two bits of each neighbour's entry.
public struct SpecialWeights: Equatable, Sendable {
  /// Weight of each kind of bond; neighbours of weight 0 are left out.
  public var ofKind: SIMD4<Double>
  /// Position of the lowest of the two bits of the kind.
  public var shift: Int32

  /// The weights of the four kinds, and the position of their bits.
  public init(ofKind: SIMD4<Double>, shift: Int32) {
    self.ofKind = ofKind
    self.shift = shift
  }

  @inline(__always)
  func kind(of neighbour: Int32) -> Int32 { neighbour >> shift & 3 }
}

/// The error that a many-body term throws for a neighbour with a weight other than 0 and 1, which it cannot count in
/// part.
public struct PartialNeighbour: Error, CustomStringConvertible {
  /// The number by which the caller knows the atom.
  public let atom: String
  /// Weight of the neighbour.
  public let weight: Double

  public var description: String {
    "atom \(atom) has a neighbour of weight \(weight), but triplets and networks cannot have part of a neighbour; "
      + "give special neighbours the weight 0 or 1"
  }
}

/// The numbers by which a caller knows its atoms [allCount].
public enum AtomIDs {
  /// Numbers of 32 bits.
  case narrow(UnsafePointer<Int32>)
  /// Numbers of 64 bits (LAMMPS with `-DLAMMPS_BIGBIG`).
  case wide(UnsafePointer<Int64>)
}

/// Turns neighbour lists into edges. Atoms that are left out (type -1, or not listed) have no index in the edge list,
/// in which the others move up; `spread` takes results back to the caller's numbering. Buffers only grow, so that a
/// list read at every step stops allocating.
public final class NeighbourListReader: EdgeSource {
  /// Index in the edge list of each of the caller's atoms [allCount]; -1 for atoms that are left out.
  private var indices = Buffer<Int32>()
  private var rowBuffer = Buffer<Int32>()

  /// A reader that has no list yet; `begin(_:cutoff:typeCount:refusesPartialWeights:)` gives it one.
  public init() {}

  /// The caller's index of each atom that is not left out, in ascending order [atomCount].
  public private(set) var rows: UnsafePointer<Int32>?

  public private(set) var centreCount = 0
  public private(set) var atomCount = 0
  /// The neighbour list that was begun last.
  private var list: NeighbourList?
  private var squaredCutoff = 0.0
  private var refusesPartialWeights = false

  /// Takes over a list, to give the edges of pairs closer than `cutoff` (Å) by `fill`.
  /// - Parameter refusesPartialWeights: whether neighbours with weights other than 0 and 1 are refused, when they are met:
  ///   many-body terms cannot count a neighbour in part.
  /// - Throws: where an index, a type or a count is out of range, or a position is not finite; `OutOfMemory`. Messages
  ///   name atoms by the list's `ids`, or count them from 0.
  public func begin(_ list: NeighbourList, cutoff: Double, typeCount: Int, refusesPartialWeights: Bool = false) throws {
    (self.list, squaredCutoff, self.refusesPartialWeights) = (list, cutoff * cutoff, refusesPartialWeights)
    assert(0...list.allCount ~= list.localCount && list.listedCount >= 0)
    try checkPositions(list)
    try checkTypes(list, typeCount)
    try number(list, try indices.reserve(list.allCount), try rowBuffer.reserve(list.allCount))
  }

  public func begin(_ edges: EdgeList) throws {
    try edges.begin(centreCount: centreCount, atomCount: atomCount)
    guard let list, let rows else { return }
    for k in 0..<atomCount { edges.types[k] = list.types[Int(rows[k])] }
  }

  /// Puts the edges of some centres into a list that was begun, in place of those it has.
  /// - Throws: where a neighbour or a count is out of range, or two atoms coincide; a `PartialNeighbour` where there is
  ///   one and `refusesPartialWeights` was asked for.
  public func fill(_ edges: EdgeList, centres: Range<Int>) throws {
    edges.restart(with: centres)
    guard let list, let rows else { return }
    for k in centres {
      try fillRow(Int(rows[k]), list, indices.pointer, edges)
      edges.close(centre: k)
    }
  }

  /// Moves results of the first `count` atoms of the edge list, as the last `fill` numbered them, to the rows of the
  /// caller's atoms in the same array [rowCount][width]. Atoms that are left out get zero.
  public func spread(_ values: UnsafeMutablePointer<Double>, width: Int, count: Int, rowCount: Int) {
    assert(count <= atomCount && count <= rowCount, "\(count) of \(atomCount) atoms go to \(rowCount) rows")
    guard count < rowCount, let rows else { return }
    // From the back: what moves never moves towards the front.
    var end = rowCount
    for k in stride(from: count - 1, through: 0, by: -1) {
      let row = Int(rows[k])
      (values + width * (row + 1)).update(repeating: 0, count: width * (end - row - 1))
      if row > k { (values + width * row).update(from: values + width * k, count: width) }
      end = row
    }
    values.update(repeating: 0, count: width * end)
  }

  private func checkPositions(_ list: NeighbourList) throws {
    // Not finite: all bits of the exponent are set. In integers, so that the loop becomes SIMD.
    let exponent: UInt64 = 0x7FF0_0000_0000_0000
    let positions = list.positions
    var wrong = false
    for k in 0..<3 * list.allCount { wrong = wrong || (positions[k].bitPattern & exponent) == exponent }
    guard wrong else { return }
    for i in 0..<list.allCount {
      let x = positions + 3 * i
      guard x[0].isFinite, x[1].isFinite, x[2].isFinite else {
        throw DiffNNPError("position of atom \(list.name(i)) is not finite: \(x[0]) \(x[1]) \(x[2])")
      }
    }
  }

  private func checkTypes(_ list: NeighbourList, _ typeCount: Int) throws {
    for i in 0..<list.allCount where list.types[i] < -1 || list.types[i] >= typeCount {
      throw DiffNNPError(
        "type of atom \(list.name(i)) is \(list.types[i]); expected -1, or a type of the model, 0...\(typeCount - 1)")
    }
  }

  /// Numbers the atoms that are not left out, local ones first.
  private func number(
    _ list: NeighbourList, _ indices: UnsafeMutablePointer<Int32>, _ rows: UnsafeMutablePointer<Int32>
  ) throws {
    let (localCount, allCount) = (list.localCount, list.allCount)
    indices.update(repeating: -1, count: allCount)
    for k in 0..<list.listedCount {
      let i = Int(list.listed[k])
      guard i >= 0, i < localCount else {
        throw DiffNNPError("ilist[\(k)] is \(i); expected a local atom, 0...\(localCount - 1)")
      }
      if list.types[i] >= 0 { indices[i] = 0 }
    }
    var count: Int32 = 0
    func take(_ i: Int) {
      indices[i] = count
      rows[Int(count)] = Int32(i)
      count += 1
    }
    for i in 0..<localCount where indices[i] == 0 { take(i) }
    centreCount = Int(count)
    if let owners = list.owners {
      try checkOwners(list, owners)
      for i in localCount..<allCount { indices[i] = indices[Int(owners[i])] }
    } else {
      for i in localCount..<allCount where list.types[i] >= 0 { take(i) }
    }
    atomCount = Int(count)
    assert(centreCount <= atomCount && atomCount <= allCount && rowBuffer.holds(atomCount))
    self.rows = UnsafePointer(rows)
  }

  private func checkOwners(_ list: NeighbourList, _ owners: UnsafePointer<Int32>) throws {
    let local = 0..<Int32(list.localCount)
    for i in 0..<list.allCount where !local.contains(owners[i]) || (i < list.localCount && owners[i] != i) {
      let expected = i < list.localCount ? "itself" : "a local atom, 0...\(list.localCount - 1)"
      throw DiffNNPError("owner of atom \(list.name(i)) is \(owners[i]); expected \(expected)")
    }
  }

  private func fillRow(
    _ i: Int, _ list: NeighbourList, _ indices: UnsafePointer<Int32>, _ edges: EdgeList
  ) throws {
    let count = Int(list.counts[i])
    guard count != 0 else { return }
    guard count > 0, count <= list.allCount, edges.count + count <= Int32.max, let row = list.neighbours[i] else {
      throw DiffNNPError(
        "atom \(list.name(i)) has \(count) neighbours among \(list.allCount) atoms; the neighbour list is damaged")
    }
    let neighbours = try edges.near.reserve(count)
    try edges.squares.reserve(count)
    try copyRow(i, list, row, count, to: neighbours)
    guard let weights = list.weights else { return try add(count, neighbours, from: i, list, indices, to: edges) }
    for kind: Int32 in 0..<4 {
      let weight = weights.ofKind[Int(kind)]
      guard weight != 0 else { continue }
      let first = edges.count
      let some = copyRow(row, count, list.mask, of: kind, weights, to: neighbours)
      try add(some, neighbours, from: i, list, indices, to: edges)
      guard weight != 1, edges.count > first else { continue }
      guard !refusesPartialWeights else {
        throw PartialNeighbour(atom: list.name(i), weight: weight)
      }
      try edges.weigh(from: first, by: weight)
    }
  }

  /// Adds edges from a local atom to those of its neighbours that are within the cutoff and not left out.
  @inline(__always)
  private func add(
    _ count: Int, _ neighbours: UnsafeMutablePointer<Int>, from i: Int, _ list: NeighbourList,
    _ indices: UnsafePointer<Int32>, to edges: EdgeList
  ) throws {
    let squares = edges.squares.pointer
    let smallest = measure(neighbours, count, from: i, list.positions, into: squares)
    if smallest <= 0 { try refuseCoincident(i, list, neighbours, squares, count) }
    try append(select(neighbours, squares, count, indices), neighbours, from: i, list.positions, indices, to: edges)
  }

  /// Reads the neighbours of a local atom.
  @inline(__always)
  private func copyRow(
    _ i: Int, _ list: NeighbourList, _ row: UnsafePointer<Int32>, _ count: Int, to neighbours: UnsafeMutablePointer<Int>
  ) throws {
    let mask = list.mask
    var largest: UInt32 = 0
    for k in 0..<count {
      let j = row[k] & mask
      neighbours[k] = Int(j)
      largest = max(largest, UInt32(bitPattern: j))
    }
    guard Int(largest) < list.allCount else { throw outOfRange(i, list, row, count) }
  }

  /// Reads the neighbours of one kind, of which it is known that they are in range, and returns how many they are.
  @inline(__always)
  private func copyRow(
    _ row: UnsafePointer<Int32>, _ count: Int, _ mask: Int32, of kind: Int32, _ weights: SpecialWeights,
    to neighbours: UnsafeMutablePointer<Int>
  ) -> Int {
    var found = 0
    for k in 0..<count {
      neighbours[found] = Int(row[k] & mask)
      found &+= weights.kind(of: row[k]) == kind ? 1 : 0
    }
    return found
  }

  /// Squared distances of neighbours from a local atom, and the smallest of them.
  @inline(__always)
  private func measure(
    _ neighbours: UnsafePointer<Int>, _ count: Int, from i: Int, _ positions: UnsafePointer<Double>,
    into squares: UnsafeMutablePointer<Double>
  ) -> Double {
    let (x, y, z) = (positions[3 &* i], positions[3 &* i &+ 1], positions[3 &* i &+ 2])
    var smallest = Double.infinity
    for k in 0..<count {
      let p = positions + 3 &* neighbours[k]
      let (dx, dy, dz) = (p[0] - x, p[1] - y, p[2] - z)
      let squared = dx * dx + dy * dy + dz * dz
      squares[k] = squared
      smallest = squared < smallest ? squared : smallest
    }
    return smallest
  }

  /// Moves neighbours that are within the cutoff and not left out to the front, with their squared distances, and
  /// returns how many they are.
  @inline(__always)
  private func select(
    _ neighbours: UnsafeMutablePointer<Int>, _ squares: UnsafeMutablePointer<Double>, _ count: Int,
    _ indices: UnsafePointer<Int32>
  ) -> Int {
    let squaredCutoff = squaredCutoff
    var found = 0
    for k in 0..<count {
      let (j, squared) = (neighbours[k], squares[k])
      // Written in any case, kept by counting on where the sign says so: cheaper than a branch that nobody can predict.
      neighbours[found] = j
      squares[found] = squared
      let (isNear, isAbsent) = ((squared - squaredCutoff).bitPattern >> 63, UInt32(bitPattern: indices[j]) >> 31)
      found &+= Int(isNear & ~UInt64(isAbsent))
    }
    return found
  }

  /// Adds edges to the first neighbours, with the squared distances of the list's `squares`.
  @inline(__always)
  private func append(
    _ count: Int, _ neighbours: UnsafePointer<Int>, from i: Int, _ positions: UnsafePointer<Double>,
    _ indices: UnsafePointer<Int32>, to edges: EdgeList
  ) throws {
    assert(edges.near.holds(count) && edges.squares.holds(count))
    try edges.reserve(count)
    let ends = edges.neighbours + edges.count
    let vectors = edges.vectors + edges.count
    let (lengths, squares) = (edges.lengths + edges.count, edges.squares.pointer)
    let (x, y, z) = (positions[3 &* i], positions[3 &* i &+ 1], positions[3 &* i &+ 2])
    for k in 0..<count {
      let j = neighbours[k]
      let p = positions + 3 &* j
      ends[k] = indices[j]
      vectors[k] = SIMD3(p[0] - x, p[1] - y, p[2] - z)
      lengths[k] = squares[k]
      assert(0..<Int32(atomCount) ~= ends[k], "atom \(j) is number \(ends[k]) of \(atomCount)")
    }
    edges.extend(by: count)
  }

  private func outOfRange(
    _ i: Int, _ list: NeighbourList, _ row: UnsafePointer<Int32>, _ count: Int
  ) -> DiffNNPError {
    let wrong = (0..<count).map { row[$0] & list.mask }.first { $0 < 0 || Int($0) >= list.allCount }
    return DiffNNPError(
      "atom \(list.name(i)) has neighbour \(wrong ?? -1); expected 0...\(list.allCount - 1)")
  }

  /// - Throws: where a neighbour that takes part is where the atom is.
  private func refuseCoincident(
    _ i: Int, _ list: NeighbourList, _ neighbours: UnsafePointer<Int>, _ squares: UnsafePointer<Double>, _ count: Int
  ) throws {
    guard let k = (0..<count).first(where: { squares[$0] <= 0 && indices.pointer[neighbours[$0]] >= 0 }) else { return }
    throw DiffNNPError(
      "atoms \(list.name(i)) and \(list.name(neighbours[k])) are in one place; remove one of them")
  }
}
