/// Edges that are all in memory: in one list, or in one list for each thread's share of the centres.
public enum KeptEdges {
  /// One list of all edges.
  case single(EdgeList)
  /// One list for each thread's share of the centres.
  case perThread(SharedEdges)

  var centreCount: Int { list(ofShare: 0).centreCount }
  var atomCount: Int { list(ofShare: 0).atomCount }

  /// The list that holds the edges of the centres of a thread's share.
  func list(ofShare share: Int) -> EdgeList {
    switch self {
    case .single(let edges): edges
    case .perThread(let edges): edges.list(ofShare: share)
    }
  }

  /// Calls `body` with each list that has edges of some centres, and with these centres.
  func forEachList(of centres: Range<Int>, _ body: (EdgeList, Range<Int>) throws -> Void) rethrows {
    switch self {
    case .single(let edges):
      try body(edges, centres)
    case .perThread(let edges):
      for share in 0..<edges.shareCount {
        try body(edges.list(ofShare: share), edges.centres(ofShare: share).clamped(to: centres))
      }
    }
  }
}
