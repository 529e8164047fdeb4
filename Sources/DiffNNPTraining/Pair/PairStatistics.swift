#if canImport(Glibc)
  import Glibc
#endif
import DiffNNP
import DiffNNPFrames

/// The sums over frames that fits of pair potentials by denoising need: for each noise level and block of time the
/// quadratic objective ½ c'Gc - h'c, with G = E[∇φ·∇φ] and h = E[Δφ] at noised positions (at σ = 0 the generalised
/// Yvon-Born-Green equations). Summed over the frames of a block, in units of kT.
public struct PairStatistics: Sendable {
  /// The functions φ.
  public let basis: PairBasis
  /// Blocks of time.
  public let blocks: TimeBlocks
  /// Noise levels (Å): `sigmas`, and the objectives at these: `forms` [level][block].
  public let sigmas: [Double]
  public let forms: [[QuadraticForm]]
  /// Smallest distance in the frames (Å), for each pair of types; infinite where a pair never comes within the cutoff.
  public let smallestDistances: [Double]
  /// Smallest distance (Å) without outliers (see `NoisedDistances.smallestConnected`), for each pair of types: where
  /// walls begin.
  public let connectedDistances: [Double]

  /// The sums that are wanted.
  struct Request {
    var basis: PairBasis
    var noise: NoiseMode
    /// Noise levels (Å) that `noise` is applied at, and σ = 0 first where it is wanted for validation.
    var sigmas: [Double]
    var seed: UInt64
    var threads: Int
    var ranks = Ranks.one
    /// Centres of which G is summed, at most, over all frames and draws of a level; the others are skipped evenly.
    var centreBudget = 400_000
  }

  init(_ frames: Frames, blocks: TimeBlocks, _ request: Request) throws {
    let largest = request.sigmas.max() ?? 0
    let cutoff = NoisedDistances.cutoff(request.basis, largestSigma: largest)
    let stride = max(1, frames.atomCount * request.noise.drawCount / max(1, request.centreBudget))
    // Levels are dealt to a few items of work in each block: enough of them for the threads, few searches.
    let groups = min(4, request.sigmas.count)
    let parts = try request.ranks.map(blocks.count * groups, threads: request.threads) { item in
      let levels = Swift.stride(from: item % groups, to: request.sigmas.count, by: groups).map { $0 }
      let sums = BlockSums(request, levels: levels, countsDistances: item % groups == 0, cutoff: cutoff, stride: stride)
      for f in blocks.ranges[item / groups] { try sums.add(frames.frame(at: f), number: f) }
      return BlockTotals(sums)
    }

    var forms = request.sigmas.map { _ in blocks.ranges.map { _ in QuadraticForm(count: request.basis.count) } }
    for (item, part) in parts.enumerated() {
      let levels = Swift.stride(from: item % groups, to: request.sigmas.count, by: groups)
      for (level, form) in zip(levels, part.forms) { forms[level][item / groups] = form }
    }
    let counted = blocks.ranges.indices.map { parts[$0 * groups] }
    let distances = counted.map { NoisedDistances(request.basis, counts: $0.distances) }
    let exact = try request.ranks.map(blocks.count * request.sigmas.count, threads: request.threads) {
      item -> [Double] in
      let (level, block) = item.quotientAndRemainder(dividingBy: blocks.count)
      let sigma = request.sigmas[level]
      return sigma == 0 || request.noise.label != .exact ? [] : distances[block].laplacians(sigma: sigma)
    }
    for (item, vector) in exact.enumerated() {
      if !vector.isEmpty { forms[item / blocks.count][item % blocks.count].vector = vector }
    }
    self.forms = forms
    basis = request.basis
    self.blocks = blocks
    sigmas = request.sigmas
    smallestDistances = (0..<request.basis.pairCount).map { p in counted.map { $0.closest[p] }.min()! }
    connectedDistances = NoisedDistances.smallestConnected(distances)
  }
}

/// The results of the sums over one block.
private struct BlockTotals: Parcelled {
  let forms: [QuadraticForm]
  /// Counts of `NoisedDistances`.
  let distances: [Double]
  let closest: [Double]

  init(_ sums: BlockSums) {
    forms = sums.sums.map { $0.form() }
    (distances, closest) = (sums.distances.counts, sums.closest)
  }

  init(from parcel: inout Parcel) {
    (forms, distances, closest) = (parcel.take(), parcel.take(), parcel.take())
  }

  func put(into parcel: inout Parcel) {
    parcel.put(forms)
    parcel.put(distances)
    parcel.put(closest)
  }
}

/// The sums over one block of frames, for some of the levels.
private final class BlockSums {
  let levels: [Int]
  let sums: [FeatureSum]
  var distances: NoisedDistances
  /// The smallest distance, for each pair of types.
  var closest: [Double]
  private let request: PairStatistics.Request
  private let countsDistances: Bool
  private let cutoff: Double
  private let stride: Int
  private let search = NeighbourSearch()
  private let edges = EdgeList()
  private var runs: [FeatureSum.Run] = []

  init(_ request: PairStatistics.Request, levels: [Int], countsDistances: Bool, cutoff: Double, stride: Int) {
    self.request = request
    self.levels = levels
    self.countsDistances = countsDistances
    self.cutoff = cutoff
    self.stride = stride
    sums = levels.map { _ in FeatureSum(request.basis) }
    distances = NoisedDistances(request.basis, largestSigma: request.sigmas.max() ?? 0)
    closest = Array(repeating: .infinity, count: request.basis.pairCount)
  }

  func add(_ frame: Frame, number: Int) throws {
    let scale = request.noise.positionScale
    var configuration = frame.configuration
    try search.fill(edges, configuration, cutoff: cutoff)
    if countsDistances {
      distances.add(edges)
      addClosest()
    }
    for (k, level) in levels.enumerated() where request.sigmas[level] == 0 { addExact(to: sums[k]) }
    if scale != 1 {
      configuration.positions = configuration.positions.map { scale * $0 }
      try search.fill(edges, configuration, cutoff: cutoff)
    }
    for (k, level) in levels.enumerated() where request.sigmas[level] > 0 {
      addNoised(to: sums[k], level: level, frame: number)
    }
  }

  private func addClosest() {
    for i in 0..<edges.centreCount {
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.lengths[e] < request.basis.rMax {
        let p = pair(i, e)
        closest[p] = min(closest[p], edges.lengths[e])
      }
    }
  }

  @inline(__always)
  private func pair(_ i: Int, _ e: Int) -> Int {
    TypePairs.index(
      Int(edges.types[i]), Int(edges.types[Int(edges.neighbours[e])]), typeCount: request.basis.typeCount)
  }

  /// σ = 0: every centre, and h = Σ Δφ at the positions themselves.
  private func addExact(to sum: FeatureSum) {
    let inverse = 1 / request.basis.spacing
    for i in 0..<edges.centreCount {
      gather(i, noise: nil, sigma: 0)
      runs.withUnsafeBufferPointer { sum.addSquare($0.baseAddress!, $0.count, weight: 1) }
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) {
        let r = edges.lengths[e]
        guard r < request.basis.rMax, edges.neighbours[e] != Int32(i) else { continue }
        let (first, t) = request.basis.locate(pair: pair(i, e), r, inverse)
        let laplacian =
          CubicBSpline.curvature(t) * (inverse * inverse) + CubicBSpline.basis(t).slope * (2 * inverse / r)
        sum.addVector(.init(first: Int32(first), values: laplacian, direction: .zero), 1)
      }
    }
  }

  /// σ > 0: G from draws of the noise, and with sampled labels h = Σ ε·∇φ/σ from the same draws.
  private func addNoised(to sum: FeatureSum, level: Int, frame: Int) {
    let sigma = request.sigmas[level]
    let draws = request.noise.drawCount
    let samplesLabel = request.noise.label == .sampled
    for draw in 0..<draws {
      let noise = request.noise.draw(
        seed: request.seed, frame: frame, level: level, draw: draw, atomCount: edges.centreCount)
      for i in 0..<edges.centreCount {
        let counts = (i + frame) % stride == 0
        guard counts || samplesLabel else { continue }
        gather(i, noise: noise, sigma: sigma)
        runs.withUnsafeBufferPointer {
          if counts { sum.addSquare($0.baseAddress!, $0.count, weight: Double(stride) / Double(draws)) }
        }
        guard samplesLabel else { continue }
        let direction = SIMD4(noise[i], 0)
        for run in runs { sum.addVector(run, (direction * run.direction).sum() / (sigma * Double(draws))) }
      }
    }
  }

  /// Fills `runs` with ∇_i φ for all neighbours of centre i, atoms displaced by σε.
  private func gather(_ i: Int, noise: [SIMD3<Double>]?, sigma: Double) {
    let basis = request.basis
    let inverse = 1 / basis.spacing
    runs.removeAll(keepingCapacity: true)
    let own = noise.map { sigma * $0[i] } ?? .zero
    for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) {
      var vector = edges.vectors[e]
      if let noise { vector += sigma * noise[Int(edges.neighbours[e])] - own }
      let squared = (vector * vector).sum()
      guard squared < basis.rMax * basis.rMax, squared > 0 else { continue }
      let r = squared.squareRoot()
      let (first, t) = basis.locate(pair: pair(i, e), r, inverse)
      runs.append(
        .init(first: Int32(first), values: CubicBSpline.basis(t).slope * inverse, direction: SIMD4(vector / -r, 0)))
    }
  }
}
