import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

extension ExtrapolationGrade {
  /// Knot spacing of the functions that describe surroundings (Å).
  private static let spacing = 0.5
  /// Largest cutoff of surroundings where there are only pair terms (Å): two shells of ions in water.
  private static let farthest = 6.0
  /// Assumed uncertainty of the description of an atom, in neighbours, which is added to the covariance so that
  /// functions that hardly vary in the training data get finite weights: what a tenth of a neighbour adds where a
  /// function has its peak of 2/3.
  private static let uncertainty = 0.1 * 2 / 3
  /// Number of pieces that frames are split into for sums, whatever the number of threads, so that sums do not depend
  /// on it.
  private static let pieces = 64
  /// Number of blocks of time that are held out, one at a time, to find the edge of the data.
  private static let folds = 5

  /// Determines the extrapolation grade from training data. A grade of 1 is the largest distance of an atom in a
  /// held-out block of time from the mean of the other blocks: with few frames, new ones lie farther out than those
  /// from which mean and covariance are computed.
  /// - Parameters:
  ///   - trajectory: the training data, two frames at least.
  ///   - terms: of the potential; surroundings reach as far as a network's cutoff, without one as the longest, or 6 Å.
  ///   - ranks: processes that share the work.
  /// - Throws: where a frame cannot be read, or its neighbours cannot be found.
  public init(
    of trajectory: Trajectory, terms: [any Term], threads: Int = Parallel.processorCount,
    ranks: Ranks = .one
  ) throws {
    let network = terms.first { $0 is Network }
    let rMax = network?.rMax ?? min(terms.map(\.rMax).max() ?? Self.farthest, Self.farthest)
    let surroundings = try Surroundings(
      typeCount: trajectory.typeNames.count, rMax: rMax, intervals: max(Int((rMax / Self.spacing).rounded()), 4))
    let sums = try Self.overPieces(of: trajectory.frames, threads: threads, ranks) { _, frames in
      var sums = SurroundingsSums(surroundings)
      try Self.forEachFrame(frames, surroundings) { sums.add($0) }
      return sums.totals
    }.map { SurroundingsSums(surroundings, totals: $0) }
    func fold(_ piece: Int) -> Int { piece * Self.folds / sums.count }
    let others = try (0..<Self.folds).map { held in
      try SurroundingsSums(adding: sums.indices.filter { fold($0) != held }.map { sums[$0] })
        .unscaledGrade(uncertainty: Self.uncertainty)
    }
    let largest = try Self.overPieces(of: trajectory.frames, threads: threads, ranks) { piece, frames in
      try others[fold(piece)].largestDistances(frames)
    }

    let grade = try SurroundingsSums(adding: sums).unscaledGrade(uncertainty: Self.uncertainty)
    let dimension = surroundings.dimension
    var whitening = grade.whitening
    for type in 0..<surroundings.typeCount {
      // Where all surroundings are the same, the edge is the assumed uncertainty.
      let edge = max(largest.map { $0[type] }.max()!, 1)
      for k in type * dimension * dimension..<(type + 1) * dimension * dimension { whitening[k] /= edge }
    }
    try self.init(surroundings, means: grade.means, whitening: whitening, closest: grade.closest)
  }

  private func largestDistances(_ frames: Slice<Frames>) throws -> [Double] {
    var largest = [Double](repeating: 0, count: surroundings.typeCount)
    var scratch = [Double](repeating: 0, count: scratchSize)
    try Self.forEachFrame(frames, surroundings) { edges in
      scratch.withUnsafeMutableBufferPointer { scratch in
        for i in 0..<edges.centreCount {
          let type = Int(edges.types[i])
          largest[type] = max(largest[type], distance(of: i, edges, scratch: scratch.baseAddress!))
        }
      }
    }
    return largest
  }

  private static func overPieces<Result: Parcelled>(
    of frames: Frames, threads: Int, _ ranks: Ranks, _ body: (Int, Slice<Frames>) throws -> Result
  ) throws -> [Result] {
    let count = min(pieces, frames.count)
    return try ranks.map(count, threads: threads) { piece in
      try body(piece, frames[(0..<frames.count).piece(piece, of: count)])
    }
  }

  private static func forEachFrame(
    _ frames: Slice<Frames>, _ surroundings: Surroundings, _ body: (EdgeList) -> Void
  ) throws {
    let (search, edges) = (NeighbourSearch(), EdgeList())
    for k in frames.indices {
      try search.fill(edges, frames.base.frame(at: k).configuration, cutoff: surroundings.rMax)
      body(edges)
    }
  }
}

/// Sums over the atoms of frames, for mean and covariance of their descriptions.
private struct SurroundingsSums {
  let surroundings: Surroundings
  /// Atoms of each type.
  private var counts: [Double]
  /// Σ f [type][dimension].
  private var sums: [Double]
  /// Σ f fᵀ [type][dimension][dimension], the lower triangle.
  private var products: [Double]
  /// Smallest distance of each pair of types (Å), rMax at most.
  private var closest: [Double]
  private var description: [Double]
  private var scratch: [Double]

  init(_ surroundings: Surroundings) {
    let (types, dimension) = (surroundings.typeCount, surroundings.dimension)
    self.surroundings = surroundings
    counts = Array(repeating: 0, count: types)
    sums = Array(repeating: 0, count: types * dimension)
    products = Array(repeating: 0, count: types * dimension * dimension)
    closest = Array(repeating: surroundings.rMax, count: TypePairs.count(types))
    description = Array(repeating: 0, count: dimension)
    scratch = Array(repeating: 0, count: surroundings.paddedDimension)
  }

  /// The sums as arrays that can travel between ranks: counts, sums, products and smallest distances.
  var totals: [[Double]] { [counts, sums, products, closest] }

  init(_ surroundings: Surroundings, totals: [[Double]]) {
    self.init(surroundings)
    (counts, sums, products, closest) = (totals[0], totals[1], totals[2], totals[3])
  }

  /// The sum of several sums.
  init(adding parts: [SurroundingsSums]) {
    self = parts[0]
    for part in parts.dropFirst() { add(part) }
  }

  mutating func add(_ edges: EdgeList) {
    let dimension = surroundings.dimension
    for i in 0..<edges.centreCount {
      surroundings.describe(i, edges, into: &description, &scratch)
      let type = Int(edges.types[i])
      counts[type] += 1
      for k in 0..<dimension where description[k] != 0 {
        sums[type * dimension + k] += description[k]
        let row = (type * dimension + k) * dimension
        for l in 0...k { products[row + l] += description[k] * description[l] }
      }
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) {
        let other = Int(edges.types[Int(edges.neighbours[e])])
        let pair = TypePairs.index(type, other, typeCount: surroundings.typeCount)
        closest[pair] = min(closest[pair], edges.lengths[e])
      }
    }
  }

  private mutating func add(_ other: SurroundingsSums) {
    for k in counts.indices { counts[k] += other.counts[k] }
    for k in sums.indices { sums[k] += other.sums[k] }
    for k in products.indices { products[k] += other.products[k] }
    for k in closest.indices { closest[k] = min(closest[k], other.closest[k]) }
  }

  /// The grade with distances in standard deviations, not yet divided by the largest one.
  func unscaledGrade(uncertainty: Double) throws -> ExtrapolationGrade {
    try ExtrapolationGrade(
      surroundings, means: means, whitening: whitening(uncertainty: uncertainty), closest: closest)
  }

  private var means: [Double] {
    let dimension = surroundings.dimension
    return sums.indices.map { sums[$0] / max(counts[$0 / dimension], 1) }
  }

  /// For each type the matrix A with A Aᵀ = (covariance + uncertainty²)⁻¹, upper triangular.
  /// - Throws: where a covariance is not finite.
  private func whitening(uncertainty: Double) throws -> [Double] {
    let (dimension, means) = (surroundings.dimension, means)
    return try counts.indices.flatMap { type -> [Double] in
      var matrix = [Double](repeating: 0, count: dimension * dimension)
      for k in 0..<dimension {
        for l in 0...k {
          let product = products[(type * dimension + k) * dimension + l] / max(counts[type], 1)
          matrix[k * dimension + l] = product - means[type * dimension + k] * means[type * dimension + l]
        }
        matrix[k * dimension + k] += uncertainty * uncertainty
      }
      guard let factor = CholeskyFactor(matrix, count: dimension, ridge: 0) else {
        throw DiffNNPError("the surroundings of atoms of type \(type + 1) have no finite covariance")
      }
      return factor.inverseTransposed()
    }
  }
}
