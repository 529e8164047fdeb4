import DiffNNP
import DiffNNPFrames

/// Radial distribution functions g(r) for each pair of types, on equal bins from zero.
///
/// Normalisation: a histogram of the distances between the atoms of a pair of types, divided by what an ideal gas of
/// the same density has in a shell, N_pairs · 4πr²Δr / V with r at the middle of the bin, for each frame with its own
/// cell; then the mean over frames.
public struct RadialDistribution: Sendable {
  public let typeNames: [String]
  /// Width of a bin (Å).
  public let binWidth: Double
  /// g at the middle of each bin [pair][bin]; pairs in the order of `TypePair.all`.
  public let values: [[Double]]
  /// Standard errors of `values` [pair][bin] from block averages; nil where unknown.
  public let errors: [[Double]]?
  /// What counting frames tells besides; nil for curves read from a table.
  public let counts: Counts?

  /// Plain counts behind the curves.
  public struct Counts: Sendable {
    public let frameCount: Int
    /// Pairs of atoms in each bin, mean over frames [pair][bin]; each pair of atoms counts once.
    public let pairs: [[Double]]
    /// Atoms of each type, mean over frames.
    public let atoms: [Double]
    /// Smallest distance (Å) of each pair; nil where no two atoms came closer than the last bin.
    public let smallestDistances: [Double?]
  }

  public init(
    typeNames: [String], binWidth: Double, values: [[Double]], errors: [[Double]]? = nil, counts: Counts? = nil
  ) {
    self.typeNames = typeNames
    self.binWidth = binWidth
    self.values = values
    self.errors = errors
    self.counts = counts
  }

  public var pairs: [TypePair] { TypePair.all(typeCount: typeNames.count) }
  public var binCount: Int { values.first?.count ?? 0 }
  /// End of the last bin (Å).
  public var rMax: Double { Double(binCount) * binWidth }
  /// Middles of the bins (Å).
  public var distances: [Double] { (0..<binCount).map { (Double($0) + 0.5) * binWidth } }

  func index(_ pair: TypePair) -> Int { TypePairs.index(pair.first, pair.second, typeCount: typeNames.count) }
}

// MARK: - From frames

extension RadialDistribution {
  /// g(r) of a trajectory, any cells, each frame with its own.
  ///
  /// All images within `rMax` count, so `rMax` may exceed half the cell; distances of atoms to their own images do
  /// not count, because they are the cell's and not the system's.
  /// - Parameters:
  ///   - rMax: largest distance (Å), a multiple of `binWidth` to within rounding.
  ///   - binWidth: width of a bin (Å).
  ///   - blockCount: contiguous blocks for the errors; nil takes ten (five for fewer than 50 frames).
  /// - Throws: where there are no frames, a cell does not repeat in all directions, or positions are not finite.
  public init(_ trajectory: Trajectory, rMax: Double = 10, binWidth: Double = 0.05, blockCount: Int? = nil) throws {
    try self.init([trajectory], rMax: rMax, binWidth: binWidth, blockCount: blockCount)
  }

  /// g(r) of several trajectories of one system taken together, say independent runs.
  public init(
    _ trajectories: [Trajectory], rMax: Double = 10, binWidth: Double = 0.05, blockCount: Int? = nil
  ) throws {
    guard binWidth.isFinite, binWidth > 0, rMax.isFinite, (rMax / binWidth).rounded() >= 1 else {
      throw DiffNNPError("g(r) up to \(rMax) Å in bins of \(binWidth) Å: give a positive bin width below the largest r")
    }
    guard rMax / binWidth <= 100_000 else {
      throw DiffNNPError("g(r) up to \(rMax) Å in bins of \(binWidth) Å: expected at most 100000 bins; give wider ones")
    }
    let frames = trajectories.flatMap(\.frames)
    guard let typeNames = trajectories.first?.typeNames, !frames.isEmpty else {
      throw DiffNNPError("no frames to compute g(r) from")
    }
    guard trajectories.allSatisfy({ $0.typeNames == typeNames }) else {
      let lists = trajectories.map { $0.typeNames.joined(separator: " ") }.joined(separator: "; ")
      throw DiffNNPError("trajectories of different species cannot be taken together: \(lists)")
    }
    let binCount = Int((rMax / binWidth).rounded())
    var histogram = PairHistogram(typeCount: typeNames.count, binCount: binCount, binWidth: binWidth)
    let wanted = blockCount ?? BlockStatistics.defaultBlockCount(frameCount: frames.count)
    let blocks = try BlockStatistics.ranges(
      frameCount: frames.count, blockCount: min(max(1, wanted), frames.count)
    ).map { range in
      let start = histogram.g
      for f in range {
        try naming("frame \(frames[f].number)") { try histogram.add(frames[f]) }
      }
      return zip(histogram.g, start).map { ($0 - $1) / Double(range.count) }
    }
    let n = Double(frames.count)
    func rows(_ flat: [Double]) -> [[Double]] {
      stride(from: 0, to: flat.count, by: binCount).map { Array(flat[$0..<$0 + binCount]) }
    }
    let errors =
      blocks.count < 2
      ? nil : rows((0..<histogram.g.count).map { k in BlockStatistics.standardError(blocks.map { $0[k] }) })
    self.init(
      typeNames: typeNames, binWidth: binWidth, values: rows(histogram.g.map { $0 / n }), errors: errors,
      counts: Counts(
        frameCount: frames.count, pairs: rows(histogram.counts.map { $0 / n }),
        atoms: histogram.atoms.map { $0 / n },
        smallestDistances: histogram.smallest.map { $0.isFinite ? $0 : nil }))
  }
}

/// Sums over frames behind g(r).
private struct PairHistogram {
  let typeCount: Int
  let binCount: Int
  let binWidth: Double
  /// Σ over frames of counts over the ideal gas's [pair · bin].
  var g: [Double]
  /// Σ over frames of pairs [pair · bin].
  var counts: [Double]
  /// Σ over frames of atoms of each type.
  var atoms: [Double]
  /// Smallest distance of each pair (Å), infinite where none.
  var smallest: [Double]

  private var frameCounts: [Double]
  private let edges = EdgeList()
  private let search = NeighbourSearch()

  init(typeCount: Int, binCount: Int, binWidth: Double) {
    self.typeCount = typeCount
    self.binCount = binCount
    self.binWidth = binWidth
    let pairCount = TypePairs.count(typeCount)
    g = Array(repeating: 0, count: pairCount * binCount)
    counts = g
    frameCounts = g
    atoms = Array(repeating: 0, count: typeCount)
    smallest = Array(repeating: .infinity, count: pairCount)
  }

  mutating func add(_ frame: Frame) throws {
    guard frame.cell.periodic == [true, true, true] else {
      throw DiffNNPError("g(r) needs a density: the cell must be periodic in all three directions")
    }
    try search.fill(edges, frame.configuration, cutoff: Double(binCount) * binWidth)
    count()
    normalise(frame)
  }

  /// Both directions of a pair are in the list: each adds one half.
  private mutating func count() {
    for k in 0..<frameCounts.count { frameCounts[k] = 0 }
    for i in 0..<edges.centreCount {
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where Int(edges.neighbours[e]) != i {
        let pair = TypePairs.index(
          Int(edges.types[i]), Int(edges.types[Int(edges.neighbours[e])]), typeCount: typeCount)
        let r = edges.lengths[e]
        frameCounts[pair * binCount + min(Int(r / binWidth), binCount - 1)] += 0.5
        smallest[pair] = min(smallest[pair], r)
      }
    }
  }

  private mutating func normalise(_ frame: Frame) {
    var n = Array(repeating: 0.0, count: typeCount)
    for type in frame.types { n[type] += 1 }
    for a in 0..<typeCount { atoms[a] += n[a] }
    for (p, pair) in TypePair.all(typeCount: typeCount).enumerated() {
      let (a, b) = (pair.first, pair.second)
      let pairCount = a == b ? n[a] * (n[a] - 1) / 2 : n[a] * n[b]
      for bin in 0..<binCount {
        let k = p * binCount + bin
        counts[k] += frameCounts[k]
        guard pairCount > 0 else { continue }
        let r = (Double(bin) + 0.5) * binWidth
        g[k] += frameCounts[k] / (pairCount * 4 * .pi * r * r * binWidth / frame.cell.volume)
      }
    }
  }
}
