import DiffNNP
import DiffNNPFrames

/// Radial distribution functions g(r) for each pair of types, on equal bins from zero.
///
/// Normalisation: a histogram of the distances between the atoms of a pair of types over all frames, divided by what
/// ideal gases of the frames' densities have in a shell, the sum of N_pairs · 4πr²Δr / V over frames with r at the
/// middle of the bin. So each frame counts by the pairs that it has, and one that lacks a species says nothing about
/// its pairs. Pairs that no frame has have zeros.
public struct RadialDistribution: Sendable {
  /// Names of the atom types.
  public let typeNames: [String]
  /// Width of a bin (Å).
  public let binWidth: Double
  /// g at the middle of each bin [pair][bin]; pairs in the order of `TypePair.all`.
  public let values: [[Double]]
  /// Standard errors of `values` [pair][bin] from block averages; nil where unknown, NaN for pairs that occur in one
  /// block alone.
  public let errors: [[Double]]?
  /// Counts of frames, pairs and atoms; nil for curves read from a table.
  public let counts: Counts?

  /// Counts of frames, pairs and atoms that the curves are made from.
  public struct Counts: Sendable {
    /// Number of frames.
    public let frameCount: Int
    /// Number of frames that have two atoms of each pair of types [pair].
    public let framesWithPairs: [Int]
    /// Pairs of atoms in each bin, over all frames [pair][bin]; each pair of atoms counts once.
    let pairs: [[Double]]
    /// Atoms of the first and of the second type of each pair, over the frames that have such pairs.
    let atoms: [(first: Double, second: Double)]
    /// Smallest distance (Å) of each pair; nil where no two atoms came closer than the last bin.
    public let smallestDistances: [Double?]
  }

  /// Curves with given values and standard errors [pair][bin].
  public init(
    typeNames: [String], binWidth: Double, values: [[Double]], errors: [[Double]]? = nil, counts: Counts? = nil
  ) {
    self.typeNames = typeNames
    self.binWidth = binWidth
    self.values = values
    self.errors = errors
    self.counts = counts
  }

  /// The pairs of types, in the order of `values`.
  public var pairs: [TypePair] { TypePair.all(typeCount: typeNames.count) }
  /// Number of bins.
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
  /// - Throws: where there are no frames, species differ, a cell does not repeat in all directions, or positions are
  ///   not finite.
  public init(
    _ trajectories: [Trajectory], rMax: Double = 10, binWidth: Double = 0.05, blockCount: Int? = nil
  ) throws {
    guard let typeNames = trajectories.first?.typeNames else { throw DiffNNPError("no frames to compute g(r) from") }
    guard trajectories.allSatisfy({ $0.typeNames == typeNames }) else {
      let lists = trajectories.map { $0.typeNames.joined(separator: " ") }.joined(separator: "; ")
      throw DiffNNPError("trajectories of different species cannot be taken together: \(lists)")
    }
    try self.init(
      trajectories.lazy.flatMap(\.frames), count: trajectories.reduce(0) { $0 + $1.frames.count }, typeNames: typeNames,
      rMax: rMax, binWidth: binWidth, blockCount: blockCount)
  }

  /// g(r) of frames that are read one after the other, and need not be in memory together.
  /// - Parameter count: how many they are.
  init(
    _ frames: some Sequence<Frame>, count: Int, typeNames: [String], rMax: Double, binWidth: Double,
    blockCount: Int? = nil
  ) throws {
    guard binWidth.isFinite, binWidth > 0, rMax.isFinite, rMax > binWidth * 0.999 else {
      throw DiffNNPError("g(r) up to \(rMax) Å in bins of \(binWidth) Å: give a positive bin width below the largest r")
    }
    guard rMax / binWidth <= 100_000 else {
      throw DiffNNPError("g(r) up to \(rMax) Å in bins of \(binWidth) Å: expected at most 100000 bins; give wider ones")
    }
    guard count > 0 else { throw DiffNNPError("no frames to compute g(r) from") }
    let wanted = blockCount ?? BlockStatistics.defaultBlockCount(frameCount: count)
    var rest = BlockStatistics.ranges(frameCount: count, blockCount: min(max(1, wanted), count))[...]
    let empty = PairHistogram(
      typeCount: typeNames.count, binCount: Int((rMax / binWidth).rounded()), binWidth: binWidth)
    var (whole, block) = (empty, empty)
    var blocks: [PairHistogram] = []
    for (f, frame) in frames.enumerated() {
      try naming("frame \(frame.number)") { try block.add(frame) }
      guard f + 1 == rest.first?.upperBound else { continue }
      rest = rest.dropFirst()
      whole.add(block)
      blocks.append(block)
      block = empty
    }
    self.init(
      typeNames: typeNames, binWidth: binWidth, values: whole.curves,
      errors: blocks.count < 2 ? nil : whole.errors(of: blocks),
      counts: Counts(
        frameCount: count, framesWithPairs: whole.framesWithPairs, pairs: whole.counts, atoms: whole.atoms,
        smallestDistances: whole.smallest.map { $0.isFinite ? $0 : nil }))
  }
}

/// Sums over frames behind g(r).
private struct PairHistogram {
  private let typeCount: Int
  private let binWidth: Double
  private let pairs: [TypePair]
  /// Pairs of atoms [pair][bin].
  private(set) var counts: [[Double]]
  /// Sum over frames of the number of pairs divided by the volume, N_pairs / V (1/Å³), for each pair of types: what g
  /// is normalised by.
  private var densities: [Double]
  /// Atoms of both types of each pair, of the frames that have such pairs, and how many these are.
  private(set) var atoms: [(first: Double, second: Double)]
  private(set) var framesWithPairs: [Int]
  /// Smallest distance of each pair (Å), infinite where none.
  private(set) var smallest: [Double]

  private let edges = EdgeList()
  private let search = NeighbourSearch()

  init(typeCount: Int, binCount: Int, binWidth: Double) {
    (self.typeCount, self.binWidth) = (typeCount, binWidth)
    pairs = TypePair.all(typeCount: typeCount)
    counts = Array(repeating: Array(repeating: 0, count: binCount), count: pairs.count)
    densities = Array(repeating: 0, count: pairs.count)
    atoms = Array(repeating: (0, 0), count: pairs.count)
    framesWithPairs = Array(repeating: 0, count: pairs.count)
    smallest = Array(repeating: .infinity, count: pairs.count)
  }

  private var binCount: Int { counts.first?.count ?? 0 }

  mutating func add(_ frame: Frame) throws {
    guard frame.cell.periodic == [true, true, true] else {
      throw DiffNNPError("g(r) needs a density: the cell must be periodic in all three directions")
    }
    try search.fill(edges, frame.configuration, cutoff: Double(binCount) * binWidth)
    count()
    var n = Array(repeating: 0.0, count: typeCount)
    for type in frame.types { n[type] += 1 }
    for (p, pair) in pairs.enumerated() {
      let (a, b) = (n[pair.first], n[pair.second])
      let pairCount = pair.first == pair.second ? a * (a - 1) / 2 : a * b
      guard pairCount > 0 else { continue }
      densities[p] += pairCount / frame.cell.volume
      atoms[p] = (atoms[p].first + a, atoms[p].second + b)
      framesWithPairs[p] += 1
    }
  }

  /// Both directions of a pair are in the list: each adds one half.
  private mutating func count() {
    let last = binCount - 1
    for i in 0..<edges.centreCount {
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where Int(edges.neighbours[e]) != i {
        let pair = TypePairs.index(
          Int(edges.types[i]), Int(edges.types[Int(edges.neighbours[e])]), typeCount: typeCount)
        let r = edges.lengths[e]
        counts[pair][min(Int(r / binWidth), last)] += 0.5
        smallest[pair] = min(smallest[pair], r)
      }
    }
  }

  /// Adds the sums of other frames.
  mutating func add(_ other: PairHistogram) {
    for p in pairs.indices {
      for bin in 0..<binCount { counts[p][bin] += other.counts[p][bin] }
      densities[p] += other.densities[p]
      atoms[p] = (atoms[p].first + other.atoms[p].first, atoms[p].second + other.atoms[p].second)
      framesWithPairs[p] += other.framesWithPairs[p]
      smallest[p] = min(smallest[p], other.smallest[p])
    }
  }

  /// Pairs that an ideal gas has in a bin [pair][bin].
  private var idealCounts: [[Double]] {
    densities.map { density in
      (0..<binCount).map { bin in
        let r = (Double(bin) + 0.5) * binWidth
        return density * 4 * .pi * r * r * binWidth
      }
    }
  }

  var curves: [[Double]] {
    zip(counts, idealCounts).map { zip($0, $1).map { $1 > 0 ? $0 / $1 : 0 } }
  }

  /// Standard errors of `curves` from those of blocks.
  func errors(of blocks: [PairHistogram]) -> [[Double]] {
    let ideal = blocks.map(\.idealCounts)
    return pairs.indices.map { p in
      guard densities[p] > 0 else { return Array(repeating: 0, count: binCount) }
      return (0..<binCount).map { bin in
        BlockStatistics.standardError(blocks.indices.map { (blocks[$0].counts[p][bin], ideal[$0][p][bin]) })
      }
    }
  }
}
