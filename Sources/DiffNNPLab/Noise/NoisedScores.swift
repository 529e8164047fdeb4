#if canImport(Glibc)
  import Glibc
#endif
import DiffNNP
import DiffNNPFrames
import DiffNNPTraining

/// The objectives of denoising for pairs at several noise levels, for each block of time ½ c'Gc - h'c with G = E[∇φ·∇φ] and
/// h = E[Δφ] at noised positions. Summed over the frames of a block, in units of kT.
package struct NoisedScores: Sendable {
  /// Noise levels (Å): `sigmas`, the first of which is 0, and the objectives at these: `forms` [level][block].
  package let sigmas: [Double]
  package let forms: [[QuadraticForm]]

  /// Largest number of centres in the sum for G, over all frames and draws of a level; more are subsampled evenly.
  private static let centreBudget = 400_000
  /// Largest displacement that is considered, in standard deviations.
  fileprivate static let reach = 5.5

  /// Sums over the frames of a fit.
  /// - Parameters:
  ///   - noise: applied at its levels; level 0 is `scores`.
  ///   - settings: seed and threads.
  /// - Throws: where a frame cannot be read.
  package init(_ frames: Frames, _ scores: PairScores, _ noise: NoiseMode, _ settings: FitSettings) throws {
    let (basis, blocks) = (scores.basis, scores.blocks)
    let levels = noise.sigmas.indices.filter { noise.sigmas[$0] > 0 }
    let numbering = noise.sigmas[0] == 0 ? 0 : 1
    let stride = max(1, frames.atomCount * noise.drawCount / Self.centreBudget)
    let noised = try Parallel.map(levels.count * blocks.count, threads: settings.threads) { item in
      let (k, block) = item.quotientAndRemainder(dividingBy: blocks.count)
      let sum = NoisedSum(
        basis, noise, level: levels[k] + numbering, sigma: noise.sigmas[levels[k]], seed: settings.seed, stride: stride)
      for f in blocks.ranges[block] { try sum.add(frames.frame(at: f), number: f) }
      return sum.form()
    }
    sigmas = [0] + levels.map { noise.sigmas[$0] }
    forms = [scores.forms] + levels.indices.map { Array(noised[$0 * blocks.count..<($0 + 1) * blocks.count]) }
  }
}

/// The sums over one block of frames at one noise level above 0.
private final class NoisedSum {
  private let basis: PairBasis
  private let noise: NoiseMode
  private let level: Int
  private let sigma: Double
  private let seed: UInt64
  private let stride: Int
  private let cutoff: Double
  private let features: FeatureSum
  private var distances: DistanceHistograms
  private let search = NeighbourSearch()
  private let edges = EdgeList()
  private var runs: [FeatureSum.Run] = []

  /// - Parameter level: number of the level, for random numbers.
  init(_ basis: PairBasis, _ noise: NoiseMode, level: Int, sigma: Double, seed: UInt64, stride: Int) {
    (self.basis, self.noise, self.level, self.sigma) = (basis, noise, level, sigma)
    (self.seed, self.stride) = (seed, stride)
    // Noise may bring pairs from beyond rMax within it.
    cutoff = basis.rMax + NoisedScores.reach * sigma * 2.0.squareRoot()
    features = FeatureSum(basis)
    distances = DistanceHistograms(basis, upTo: cutoff)
  }

  func add(_ frame: Frame, number: Int) throws {
    var configuration = frame.configuration
    if noise.positionScale != 1 {
      configuration.positions = configuration.positions.map { noise.positionScale * $0 }
    }
    try search.fill(edges, configuration, cutoff: cutoff)
    if noise.label == .exact { distances.add(edges) }
    for draw in 0..<noise.drawCount { addDraw(draw, frame: number) }
  }

  /// G from one draw of the noise, and with sampled labels h = Σ ε·∇φ/σ from the same.
  private func addDraw(_ draw: Int, frame: Int) {
    let (draws, samplesLabel) = (Double(noise.drawCount), noise.label == .sampled)
    let epsilon = noise.draw(seed: seed, frame: frame, level: level, draw: draw, atomCount: edges.centreCount)
    let displacements = epsilon.map { sigma * $0 }
    for i in 0..<edges.centreCount {
      let counts = (i + frame) % stride == 0
      guard counts || samplesLabel else { continue }
      basis.gradients(of: i, edges, displacements: displacements, into: &runs)
      if counts {
        runs.withUnsafeBufferPointer {
          features.addSquare($0.baseAddress!, $0.count, weight: Double(stride) / draws)
        }
      }
      guard samplesLabel else { continue }
      let direction = SIMD4(epsilon[i], 0)
      for run in runs { features.addVector(run, (direction * run.direction).sum() / (sigma * draws)) }
    }
  }

  func form() -> QuadraticForm {
    var form = features.form()
    if noise.label == .exact { form.vector = distances.laplacians(sigma: sigma) }
    return form
  }
}

/// Histograms of noised distances, exact and without draws. Noise on both atoms displaces r⃗ by √2 σ η, so that a
/// distance r becomes r' with the density
///   p(r' | r) = r' / (r s √2π) · [exp(-(r'-r)²/2s²) - exp(-(r'+r)²/2s²)],  s = √2 σ.
/// That makes E_ε[Δu(x + σε)] of a pair potential a sum over the noised histogram, without noise from draws.
extension DistanceHistograms {
  /// h_k = E[Σ_i Δ_i φ_k(y)] summed over the frames, at noise `sigma` (Å).
  fileprivate func laplacians(sigma: Double) -> [Double] {
    var sums = Array(repeating: 0.0, count: basis.paddedCount)
    for pair in 0..<basis.pairCount {
      let noised = noised(pair, sigma: sigma)
      for bin in 0..<noised.count where noised[bin] != 0 {
        let (first, laplacians) = basis.laplacians(pair: pair, (Double(bin) + 0.5) * Self.width)
        for k in 0..<4 { sums[Int(first) + k] += noised[bin] * laplacians[k] }
      }
    }
    return basis.kept.map { sums[$0] }
  }

  /// The histogram of noised distances below rMax.
  private func noised(_ pair: Int, sigma: Double) -> [Double] {
    let inside = min(Int(basis.rMax / Self.width), binCount)
    let row = Array(counts[pair * binCount..<(pair + 1) * binCount])
    let s = sigma * 2.0.squareRoot()
    let reach = Int(NoisedScores.reach * s / Self.width) + 1
    let gaussian = (0...2 * binCount).map { k -> Double in
      let d = Double(k) * Self.width / s
      return exp(-0.5 * d * d) * Self.width / (s * (2 * Double.pi).squareRoot())
    }
    var result = Array(repeating: 0.0, count: inside)
    for from in 0..<binCount where row[from] != 0 {
      let scaled = row[from] / (Double(from) + 0.5)
      for to in max(0, from - reach)..<max(min(inside, from + reach + 1), max(0, from - reach)) {
        result[to] += scaled * (Double(to) + 0.5) * (gaussian[abs(to - from)] - gaussian[to + from + 1])
      }
    }
    return result
  }
}
