/// A supplier of edges, for some centres at a time, so that a term that uses each centre once need not keep them all.
public protocol EdgeSource: AnyObject {
  /// Atoms that are centres: 0..<centreCount.
  var centreCount: Int { get }
  /// Atoms that edges may point at, centres included: 0..<atomCount.
  var atomCount: Int { get }

  /// Begins a list, with the types of all atoms and no edges.
  /// - Throws: `OutOfMemory`.
  func begin(_ edges: EdgeList) throws

  /// Puts the edges of some centres into a list that was begun, in place of those it has. Threads may call this at the
  /// same time, each with a list of its own.
  /// - Throws: what keeps the edges from being found: bad input in a neighbour list, coincident atoms, `OutOfMemory`.
  func fill(_ edges: EdgeList, centres: Range<Int>) throws
}

extension EdgeSource {
  /// Puts all edges into a list.
  func fill(_ edges: EdgeList) throws {
    try begin(edges)
    try fill(edges, centres: 0..<centreCount)
  }
}
