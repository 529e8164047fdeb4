import DiffNNP
import DiffNNPTraining

/// The noise on frames x, y = x + σε with ε ~ N(0, I), and the objective that is learned from it. In all modes the
/// potential u (in kT) minimises E[½|∇u(y)|²] - h(u), where h is an estimate of E[Δu(y)]; the modes differ in the
/// estimate. For y drawn from noised data these are denoising score matching (Vincent 2011), whose minimiser is the
/// potential of the *noised* density, F_σ = kT E[-ε/σ | y].
package enum NoiseMode: Equatable, Sendable {
  /// One draw for each frame, made once: h = ε·∇u(y)/σ.
  case fixed(sigma: Double)
  /// Static data duplication, as Harcombe and Duignan do: `copies` draws for each frame, made once; the same h.
  case copies(sigma: Double, count: Int)
  /// Fresh noise at each step. In closed form the mean over all draws is taken exactly: h = E_ε[Δu(x + σε)] (Stein).
  case fresh(sigma: Double)
  /// Pairs of opposite draws y± = x ± σε: h = ε·(∇u(y+) - ∇u(y-))/2σ, finite as σ → 0.
  case antithetic(sigma: Double, pairs: Int)
  /// Several σ, with a potential that knows its σ, u_τ = Σ_k τ^k u_k with τ = σ²; run at σ → 0. Which of the levels
  /// are used, their weights and the degree in τ are chosen by cross-validation; h as with `fresh`.
  case ladder(sigmas: [Double])
  /// The paper's script: y = √(1-σ²) x + σε in the unscaled cell. Shortens distances and breaks periodicity; for
  /// reproduction only. h as with `copies`.
  case variancePreserving(sigma: Double, copies: Int)

  /// The default ladder (Å): dense where sharp wells are still resolved.
  package static let defaultSigmas = [0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4]

  /// Numbers of draws for each frame that are accepted.
  package static let sensibleDraws = 1...10_000

  /// Noise levels (Å), in increasing order.
  package var sigmas: [Double] {
    switch self {
    case .fixed(let sigma), .copies(let sigma, _), .fresh(let sigma), .antithetic(let sigma, _),
      .variancePreserving(let sigma, _):
      [sigma]
    case .ladder(let sigmas): sigmas
    }
  }

  /// Checks levels and numbers of draws.
  /// - Throws: where a level or a number of draws is not valid.
  package func validate() throws {
    switch self {
    case .ladder(let sigmas):
      guard sigmas.first == 0, sigmas.count > 1, zip(sigmas, sigmas.dropFirst()).allSatisfy({ $0 < $1 }) else {
        throw DiffNNPError("noise ladder \(sigmas): expected levels in Å that start at 0 and increase")
      }
    case .copies(_, let n), .antithetic(_, let n), .variancePreserving(_, let n):
      guard Self.sensibleDraws ~= n else {
        throw DiffNNPError("\(n) noise draws for a frame: expected 1 to \(Self.sensibleDraws.upperBound)")
      }
    case .fixed, .fresh: break
    }
    for sigma in sigmas where !(sigma.isFinite && sigma >= 0 && sigma < 5) {
      throw DiffNNPError("noise level \(sigma) Å: expected a number between 0 and 5")
    }
    if case .variancePreserving(let sigma, _) = self, sigma >= 1 {
      throw DiffNNPError("variance-preserving noise of \(sigma): expected less than 1")
    }
    if case .ladder = self { return }
    if case .fresh = self { return }
    if sigmas == [0] {
      throw DiffNNPError("noise level 0 Å with sampled noise: give a positive level, or use noise mode `fresh`")
    }
  }

  /// The noise of this mode for the training of a network.
  package var networkNoise: NetworkNoise {
    var network = NetworkNoise(sigmas: sigmas)
    network.positionScale = positionScale
    switch self {
    case .ladder, .antithetic: break
    case .fresh: network.isAntithetic = false
    case .fixed: (network.isAntithetic, network.copies) = (false, 1)
    case .copies(_, let count), .variancePreserving(_, let count):
      (network.isAntithetic, network.copies) = (false, count)
    }
    return network
  }

  /// The way to estimate the label h of one level: as the mean over all draws, or from those drawn.
  enum Label { case exact, sampled }

  var label: Label {
    switch self {
    case .fresh, .ladder: .exact
    case .fixed, .copies, .antithetic, .variancePreserving: .sampled
    }
  }

  /// Noisy configurations for each frame; antithetic ones come in pairs.
  var drawCount: Int {
    switch self {
    case .fixed: 1
    case .copies(_, let n), .variancePreserving(_, let n): n
    case .antithetic(_, let n): 2 * n
    case .fresh, .ladder: 2
    }
  }

  /// Whether draws 2k and 2k + 1 are opposite.
  var isAntithetic: Bool {
    switch self {
    case .fixed, .copies, .variancePreserving: false
    case .antithetic, .fresh, .ladder: true
    }
  }

  /// Factor on positions before noise is added.
  var positionScale: Double {
    if case .variancePreserving(let sigma, _) = self { (1 - sigma * sigma).squareRoot() } else { 1 }
  }

  /// The noise ε of one frame and draw.
  func draw(seed: UInt64, frame: Int, level: Int, draw: Int, atomCount: Int) -> [SIMD3<Double>] {
    let copy = isAntithetic ? draw / 2 : draw
    // Twelve bits hold the level, and the others the number of the copy.
    let stream = (copy >> 12) << 24 | level << 12 | copy & 0xFFF
    var random = Philox(seed: seed, purpose: .noise, frame: frame, stream: stream)
    let sign: Double = isAntithetic && draw % 2 == 1 ? -1 : 1
    return (0..<atomCount).map { _ in sign * random.normal3() }
  }
}
