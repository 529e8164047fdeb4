import DiffNNP
import DiffNNPFrames

/// The objective of score matching for pairs in the limit of no noise, for each block of time ½ c'Gc - h'c, with G =
/// E[∇φ·∇φ] and h = E[Δφ - ∇u_known·∇φ] (Hyvärinen, J. Mach. Learn. Res. 6, 695 (2005); its minimum solves the
/// generalised Yvon-Born-Green equations). It is summed over the frames of a block, in units of kT; the constant that
/// depends on the known part alone is left out.
package struct PairScores: Sendable {
  /// The functions φ.
  package let basis: PairBasis
  /// Blocks of time, and the objective of each.
  package let blocks: TimeBlocks
  package let forms: [QuadraticForm]
  /// Smallest distance in the frames (Å), for each pair of types; infinite where a pair never comes within the cutoff.
  package let smallestDistances: [Double]
  /// Smallest distance (Å) without outliers (see `DistanceHistograms.smallestConnected`), for each pair of types: where
  /// walls begin.
  package let connectedDistances: [Double]

  /// - Throws: where a frame cannot be read, or another rank fails.
  package init(
    _ frames: Frames, blocks: TimeBlocks, _ basis: PairBasis, known: (any KnownPart)? = nil, threads: Int,
    ranks: Ranks = .one
  ) throws {
    let totals = try ranks.map(blocks.count, threads: threads) { block in
      let sum = PairScoreSum(basis, known)
      for f in blocks.ranges[block] { try sum.add(frames.frame(at: f)) }
      return PairScoreTotal(sum)
    }
    forms = totals.map(\.form)
    (self.basis, self.blocks) = (basis, blocks)
    smallestDistances = (0..<basis.pairCount).map { p in totals.map { $0.closest[p] }.min()! }
    connectedDistances = DistanceHistograms.smallestConnected(
      totals.map { DistanceHistograms(basis, counts: $0.distances) })
  }

  /// The objective as a part of the objective of a model of pairs alone.
  var objective: QuadraticPart {
    QuadraticPart(name: "scores", forms: forms, constants: forms.map { _ in 0 })
  }

  /// Mean over frames of the objective on blocks that were held out.
  /// - Parameter solutions: for each block, the coefficients fitted to all others, those of pairs first.
  package func heldOut(_ solutions: [[Double]]) -> Double {
    zip(solutions, forms).reduce(0) { $0 + $1.1.value(Array($1.0[..<basis.count])) } / Double(blocks.frameCount)
  }
}

/// The sums over one block, as they are sent between ranks.
private struct PairScoreTotal: Parcelled {
  let form: QuadraticForm
  /// Counts of `DistanceHistograms`.
  let distances: [Double]
  let closest: [Double]

  init(_ sum: PairScoreSum) { (form, distances, closest) = (sum.features.form(), sum.distances.counts, sum.closest) }

  init(from parcel: inout Parcel) {
    (form, distances, closest) = (QuadraticForm(from: &parcel), parcel.take(), parcel.take())
  }

  func put(into parcel: inout Parcel) {
    form.put(into: &parcel)
    parcel.put(distances)
    parcel.put(closest)
  }
}

/// The sums over one block of frames.
private final class PairScoreSum {
  let features: FeatureSum
  private(set) var distances: DistanceHistograms
  /// The smallest distance, for each pair of types.
  private(set) var closest: [Double]
  private let basis: PairBasis
  private let known: (evaluator: any KnownPartEvaluating, rMax: Double)?
  private let search = NeighbourSearch()
  private let edges = EdgeList()
  private var runs: [FeatureSum.Run] = []

  init(_ basis: PairBasis, _ known: (any KnownPart)?) {
    self.basis = basis
    self.known = known.map { ($0.makeEvaluator(), $0.rMax) }
    features = FeatureSum(basis)
    distances = DistanceHistograms(basis)
    closest = Array(repeating: .infinity, count: basis.pairCount)
  }

  func add(_ frame: Frame) throws {
    try search.fill(edges, frame.configuration, cutoff: max(basis.rMax, known?.rMax ?? 0))
    known?.evaluator.begin(frame.configuration, edges)
    distances.add(edges)
    for i in 0..<edges.centreCount {
      addClosest(of: i)
      addSquare(of: i)
      addLaplacians(of: i)
    }
  }

  private func addClosest(of i: Int) {
    for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.lengths[e] < basis.rMax {
      let p = basis.pair(i, e, edges)
      closest[p] = min(closest[p], edges.lengths[e])
    }
  }

  /// Adds ∇_i φ · ∇_i φ to G, and -∇_i u_known · ∇_i φ to h.
  private func addSquare(of i: Int) {
    basis.gradients(of: i, edges, into: &runs)
    runs.withUnsafeBufferPointer { features.addSquare($0.baseAddress!, $0.count, weight: 1) }
    guard let known else { return }
    let gradient = SIMD4(known.evaluator.gradient(of: i), 0)
    for run in runs { features.addVector(run, -(gradient * run.direction).sum()) }
  }

  private func addLaplacians(of i: Int) {
    for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.neighbours[e] != Int32(i) {
      let r = edges.lengths[e]
      guard r < basis.rMax else { continue }
      let (first, laplacians) = basis.laplacians(pair: basis.pair(i, e, edges), r)
      features.addVector(.init(first: first, values: laplacians, direction: .zero), 1)
    }
  }
}
