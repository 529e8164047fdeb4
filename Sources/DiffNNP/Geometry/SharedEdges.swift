/// All edges of a system, in one list for each thread's share of the centres, which the threads fill. Lists only grow.
public final class SharedEdges: SharedWork {
  /// The edge list of one thread.
  private final class Part {
    let edges = EdgeList()
    /// The error with which the last search ended; nil where it succeeded.
    var error: (any Error)?
  }

  /// Threads that share the work, which is split as long as each gets some atoms.
  var team: ThreadTeam? {
    didSet { parts = (0..<(team?.count ?? 1)).map { _ in Part() } }
  }
  private(set) var shareCount = 1
  private var parts = [Part()]
  private var source: (any EdgeSource)?

  /// Takes all edges of a source.
  /// - Throws: what the source throws.
  func fill(from source: any EdgeSource) throws {
    self.source = source
    defer { self.source = nil }
    shareCount = Shares.count(atoms: source.centreCount, threads: parts.count)
    guard shareCount > 1, let team else { return try fill(share: 0) }
    team.run(self)
    for part in parts {
      guard let error = part.error else { continue }
      parts.forEach { $0.error = nil }
      throw error
    }
  }

  /// The list of the edges of a share's centres.
  func list(ofShare share: Int) -> EdgeList { parts[share].edges }

  func centres(ofShare share: Int) -> Range<Int> {
    Shares.centres(parts[0].edges.centreCount, ofShare: share, among: shareCount)
  }

  func perform(share: Int) {
    guard share < shareCount else { return }
    do { try fill(share: share) } catch { parts[share].error = error }
  }

  private func fill(share: Int) throws {
    guard let source else { return }
    let edges = parts[share].edges
    try source.begin(edges)
    try source.fill(edges, centres: Shares.centres(source.centreCount, ofShare: share, among: shareCount))
  }
}
