/// Edges that are all there, or that are found block by block and forgotten.
enum Edges {
  /// Centres that go through all terms together, so that for the later ones their edges are still in the second-level cache.
  static let blockSize = 128

  case known(EdgeList)
  case found(any EdgeSource)

  var centreCount: Int {
    switch self {
    case .known(let edges): edges.centreCount
    case .found(let source): source.centreCount
    }
  }

  var atomCount: Int {
    switch self {
    case .known(let edges): edges.atomCount
    case .found(let source): source.atomCount
    }
  }

  /// Calls `body` with the edges of some centres, block by block.
  /// - Parameters:
  ///   - room: a list for the edges of a block.
  ///   - clock: takes the time to find them.
  /// - Throws: what the source throws.
  func forEachBlock(
    of centres: Range<Int>, in room: EdgeList, clock: StageClock? = nil, _ body: (EdgeList, Range<Int>) -> Void
  ) throws {
    if case .found(let source) = self { source.begin(room) }
    for first in stride(from: centres.lowerBound, to: centres.upperBound, by: Self.blockSize) {
      let block = first..<min(first + Self.blockSize, centres.upperBound)
      switch self {
      case .known(let edges): body(edges, block)
      case .found(let source):
        clock?.enter(.edges)
        try source.fill(room, centres: block)
        body(room, block)
      }
    }
  }
}
