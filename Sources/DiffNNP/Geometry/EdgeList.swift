#if canImport(Glibc)
  import Glibc
#endif

/// Directed edges from each centre atom to every neighbour closer than a cutoff: what every term of a potential sees
/// of a configuration. Both directions of a pair are present. Edges of one centre are consecutive.
///
/// Buffers only grow, so that a list refilled at every step stops allocating.
public final class EdgeList {
  /// Atoms that are centres: 0..<centreCount.
  public private(set) var centreCount = 0
  /// Atoms that edges may point at, centres included: 0..<atomCount.
  public private(set) var atomCount = 0
  /// Number of edges in the list.
  public private(set) var count = 0
  /// The edges of centre i, once it is filled, have the indices offsets[i]..<offsets[i + 1].
  public private(set) var offsets: UnsafeMutablePointer<Int32>
  /// The atom at the far end of each edge.
  public private(set) var neighbours: UnsafeMutablePointer<Int32>
  /// x[neighbour] - x[centre] (Å), through the nearest images where an image is meant.
  public private(set) var vectors: UnsafeMutablePointer<SIMD3<Double>>
  /// |vector| (Å).
  public private(set) var lengths: UnsafeMutablePointer<Double>
  /// Type of each atom.
  public private(set) var types: UnsafeMutablePointer<Int32>
  /// Factor on the energy of each edge, for bonded neighbours that count in part [count]; nil where all factors are 1.
  var weights: UnsafeMutablePointer<Double>? { isWeighted ? allWeights : nil }

  /// The centres whose edges this list holds, or will hold once it is filled.
  private(set) var centres = 0..<0
  /// The next centre to be filled: those before it in `centres` have all their edges.
  private var open = 0
  private var isWeighted = false
  /// Room for `edgeCapacity` weights, once there have been any.
  private var allWeights: UnsafeMutablePointer<Double>?
  private static let fewest = (edges: 1024, atoms: 128)
  private var edgeCapacity = EdgeList.fewest.edges
  private var atomCapacity = EdgeList.fewest.atoms

  // Scratch memory of a search: squared distances of the points that are checked, and the indices of those within the
  // cutoff.
  var squares = Buffer<Double>()
  var near = Buffer<Int>()

  /// An empty list with room for a few edges.
  public init() {
    let (edges, atoms) = Self.fewest
    (offsets, types) = orEnd { (try Buffer.allocate(atoms + 1), try Buffer.allocate(atoms)) }
    (neighbours, vectors, lengths) = orEnd {
      (try Buffer.allocate(edges), try Buffer.allocate(edges), try Buffer.allocate(edges))
    }
    offsets[0] = 0
  }

  deinit {
    free(offsets)
    free(types)
    free(neighbours)
    free(vectors)
    free(lengths)
    free(allWeights)
  }

  /// Empties the list for a system of `centreCount` centres among `atomCount` atoms.
  /// - Throws: `OutOfMemory`; the list is as it was then.
  public func begin(centreCount: Int, atomCount: Int) throws {
    assert(0...atomCount ~= centreCount, "\(centreCount) of \(atomCount) atoms are centres")
    if atomCount > atomCapacity {
      let capacity = max(atomCount, atomCapacity + atomCapacity / 2)
      offsets = try replaced(offsets, capacity + 1)
      types = try replaced(types, capacity)
      atomCapacity = capacity
    }
    self.centreCount = centreCount
    self.atomCount = atomCount
    restart(with: 0..<centreCount)
  }

  /// Empties the list to be filled with the edges of some centres alone.
  func restart(with centres: Range<Int>) {
    assert(centres.lowerBound >= 0 && centres.upperBound <= centreCount, "centres \(centres) of \(centreCount)")
    self.centres = centres
    open = centres.lowerBound
    count = 0
    offsets[open] = 0
    isWeighted = false
  }

  /// Makes room for `more` edges beyond those present.
  /// - Throws: `OutOfMemory`.
  @inline(__always)
  public func reserve(_ more: Int) throws {
    if count + more > edgeCapacity { try grow(to: count + more) }
  }

  /// Adds an edge to the centre that is being filled. Room must have been reserved.
  @inline(__always)
  public func appendUnchecked(neighbour: Int32, vector: SIMD3<Double>, length: Double) {
    assert(count < edgeCapacity, "no room was reserved")
    assert(0..<atomCount ~= Int(neighbour), "neighbour \(neighbour) of \(atomCount) atoms")
    neighbours[count] = neighbour
    vectors[count] = vector
    lengths[count] = length
    count += 1
  }

  /// Adds `more` edges to the centre that is being filled, written by the caller behind those present, with squared
  /// lengths in place of lengths.
  @inline(__always)
  func extend(by more: Int) {
    assert(more >= 0 && count + more <= edgeCapacity, "no room was reserved")
    let squares = lengths + count
    // As magnitudes, they are known not to be negative; otherwise each root has a branch of its own.
    for e in 0..<more { squares[e] = squares[e].magnitude.squareRoot() }
    count += more
  }

  /// Sets the weight of the edges from index `first` on; edges before keep theirs, which is 1 unless it was set.
  /// - Throws: `OutOfMemory`.
  func weigh(from first: Int, by weight: Double) throws {
    assert(0...count ~= first)
    let weights = try allWeights ?? Buffer.allocate(edgeCapacity)
    if !isWeighted { weights.update(repeating: 1, count: edgeCapacity) }
    (weights + first).update(repeating: weight, count: count - first)
    (allWeights, isWeighted) = (weights, true)
  }

  /// Ends the edges of centre `i`; centres are filled in order.
  @inline(__always)
  public func close(centre i: Int) {
    assert(i == open && i < centres.upperBound, "centre \(i) of \(centres) follows those before \(open)")
    assert(count <= Int32.max)
    offsets[i + 1] = Int32(truncatingIfNeeded: count)
    open = i + 1
  }

  private func grow(to needed: Int) throws {
    // As many as there will be if centres to come are like those before, and some more.
    let filled = open - centres.lowerBound
    let expected = filled > 0 ? count * centres.count / filled : 0
    let capacity = max(needed, edgeCapacity + edgeCapacity / 4, expected + expected / 32)
    neighbours = try moved(neighbours, to: capacity)
    vectors = try moved(vectors, to: capacity)
    lengths = try moved(lengths, to: capacity)
    if let weights = allWeights {
      let all = try moved(weights, to: capacity)
      (all + count).update(repeating: 1, count: capacity - count)
      allWeights = all
    }
    edgeCapacity = capacity
  }

  private func moved<T>(_ old: UnsafeMutablePointer<T>, to capacity: Int) throws -> UnsafeMutablePointer<T> {
    let new = try Buffer<T>.allocate(capacity)
    new.update(from: old, count: count)
    free(old)
    return new
  }

  /// Room for more; what was there is lost.
  private func replaced<T>(_ old: UnsafeMutablePointer<T>, _ capacity: Int) throws -> UnsafeMutablePointer<T> {
    let new = try Buffer<T>.allocate(capacity)
    free(old)
    return new
  }
}

/// What an edge list holds, by pointers alone, for loops that count no references. Valid until the list changes.
struct EdgePointers {
  let centreCount: Int
  let atomCount: Int
  /// Centres whose edges are there, and the number of these edges.
  let centres: Range<Int>
  let count: Int
  let offsets: UnsafePointer<Int32>
  let neighbours: UnsafePointer<Int32>
  let vectors: UnsafePointer<SIMD3<Double>>
  let lengths: UnsafePointer<Double>
  /// Nil where all edges count as they are.
  let weights: UnsafePointer<Double>?
  let types: UnsafePointer<Int32>

  init(_ edges: EdgeList) {
    (centreCount, atomCount) = (edges.centreCount, edges.atomCount)
    (centres, count) = (edges.centres, edges.count)
    (offsets, neighbours, types) = (.init(edges.offsets), .init(edges.neighbours), .init(edges.types))
    (vectors, lengths, weights) = (.init(edges.vectors), .init(edges.lengths), edges.weights.map { .init($0) })
  }

  /// Asserts what loops over the edges of some centres rely on.
  @inline(__always)
  func assertSound(for chosen: Range<Int>, typeCount: Int) {
    assert(fault(of: chosen, typeCount: typeCount) == nil, "\(fault(of: chosen, typeCount: typeCount)!)")
  }

  /// What is wrong with some centres or their edges; nil where all is sound. Plain loops, so that nothing is allocated.
  private func fault(of chosen: Range<Int>, typeCount: Int) -> StaticString? {
    guard chosen.isEmpty || chosen.clamped(to: centres) == chosen else { return "a centre that the edges do not have" }
    for i in chosen {
      guard 0 <= offsets[i], offsets[i] <= offsets[i + 1], offsets[i + 1] <= count else {
        return "edges of a centre end before they begin, or behind the last"
      }
      guard 0..<typeCount ~= Int(types[i]) else { return "a centre's type that the term does not have" }
      for e in Int(offsets[i])..<Int(offsets[i + 1]) {
        let neighbour = Int(neighbours[e])
        guard 0..<atomCount ~= neighbour else { return "an edge that leads out of the atoms" }
        guard 0..<typeCount ~= Int(types[neighbour]) else { return "a neighbour's type that the term does not have" }
      }
    }
    return nil
  }

  /// The most edges that one of some centres has.
  func mostEdges(of centres: Range<Int>) -> Int {
    centres.reduce(0) { max($0, Int(offsets[$1 + 1] - offsets[$1])) }
  }
}
