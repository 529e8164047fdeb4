/// The edges that an evaluation uses: all of them in memory, or found block by block and then forgotten.
enum Edges {
  /// Centres that go through all terms together, so that for the later ones their edges are still in the second-level
  /// cache.
  static let blockSize = 128

  case kept(KeptEdges)
  case found(any EdgeSource)

  var centreCount: Int {
    switch self {
    case .kept(let edges): edges.centreCount
    case .found(let source): source.centreCount
    }
  }

  var atomCount: Int {
    switch self {
    case .kept(let edges): edges.atomCount
    case .found(let source): source.atomCount
    }
  }

  /// Calls `body` with the edges of some centres, block by block.
  /// - Parameters:
  ///   - room: a list for the edges of a block.
  ///   - clock: takes the time to find them.
  /// - Throws: what the source or `body` throws.
  func forEachBlock(
    of centres: Range<Int>, in room: EdgeList, clock: StageClock? = nil, _ body: (EdgeList, Range<Int>) throws -> Void
  ) throws {
    switch self {
    case .kept(let edges):
      try edges.forEachList(of: centres) { list, centres in
        try Self.forEachBlock(of: centres) { try body(list, $0) }
      }
    case .found(let source):
      try source.begin(room)
      try Self.forEachBlock(of: centres) {
        clock?.enter(.edges)
        try source.fill(room, centres: $0)
        try body(room, $0)
      }
    }
  }

  private static func forEachBlock(of centres: Range<Int>, _ body: (Range<Int>) throws -> Void) rethrows {
    for first in stride(from: centres.lowerBound, to: centres.upperBound, by: blockSize) {
      try body(first..<min(first + blockSize, centres.upperBound))
    }
  }
}
