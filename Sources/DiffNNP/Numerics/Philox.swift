#if canImport(Glibc)
  import Glibc
#endif

/// Counter-based random numbers: Philox4x32-10 (Salmon et al., SC11, "Parallel random numbers: as easy as 1, 2, 3").
///
/// A stream is named by what it is for (seed, purpose, frame, draw), not by who asks, so that results do not depend on
/// the number of threads or on the order of work.
public struct Philox: RandomNumberGenerator {
  /// The use of a stream: `noise` on frames; `candidates` of the pseudo-likelihood; initial parameters, noise and order
  /// of frames of a `network`; noise of the held-out `objective`; chains of the refinement by `likelihood`; positions
  /// on a `lattice` that a validation starts from; `resampling` of frames; candidates that enter a `hessian`; noise on
  /// the frames that a `validation` compares with.
  public enum Purpose: UInt32, Sendable {
    case noise = 1, candidates, network, objective, likelihood, lattice, resampling, hessian, validation
  }

  private let key: SIMD2<UInt32>
  private var counter: SIMD4<UInt32>
  private var block: SIMD4<UInt32> = .zero
  private var used = 4
  private var spare: Double?

  /// Streams that differ in one of these never overlap. Each repeats itself after 2³³ numbers of 64 bits.
  /// - Parameters:
  ///   - frame: at least 0 and below 2⁵⁶.
  ///   - stream: tells draws for one purpose and frame apart: atom, level, copy, …; at least 0 and below 2³².
  public init(seed: UInt64, purpose: Purpose, frame: Int, stream: Int = 0) {
    assert(0..<1 << 56 ~= frame && 0..<1 << 32 ~= stream, "frame \(frame), stream \(stream)")
    key = [UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)]
    let (low, high) = (UInt32(truncatingIfNeeded: stream & 0xFF_FFFF), UInt32(truncatingIfNeeded: stream >> 24))
    counter = [
      0, UInt32(truncatingIfNeeded: frame), UInt32(truncatingIfNeeded: frame >> 32) | high << 24,
      purpose.rawValue << 24 | low,
    ]
  }

  public mutating func next() -> UInt64 {
    if used >= 4 {
      block = Self.rounds(counter, key)
      counter.x &+= 1
      used = 0
    }
    defer { used += 2 }
    return UInt64(block[used]) | UInt64(block[used + 1]) << 32
  }

  /// Uniform in (0, 1).
  public mutating func uniform() -> Double { (Double(next() >> 12) + 0.5) * 0x1p-52 }

  /// Standard normal.
  public mutating func normal() -> Double {
    if let value = spare {
      spare = nil
      return value
    }
    let u = uniform()
    let (value, other) = Self.normals(from: u, uniform())
    spare = other
    return value
  }

  /// Two independent standard normals from two uniform numbers, u in (0, 1] and v in [0, 1], by Box and Muller's
  /// transformation.
  @inline(__always)
  static func normals(from u: Double, _ v: Double) -> (Double, Double) {
    let radius = (-2 * log(u)).squareRoot()
    let angle = 2 * Double.pi * v
    return (radius * cos(angle), radius * sin(angle))
  }

  /// Three standard normals.
  public mutating func normal3() -> SIMD3<Double> { [normal(), normal(), normal()] }

  /// Uniform in the ball of radius 1.
  public mutating func inBall() -> SIMD3<Double> {
    while true {
      let x = SIMD3(2 * uniform() - 1, 2 * uniform() - 1, 2 * uniform() - 1)
      if (x * x).sum() <= 1 { return x }
    }
  }

  /// The ten rounds of Philox4x32.
  static func rounds(_ counter: SIMD4<UInt32>, _ key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var (c, k) = (counter, key)
    for _ in 0..<10 {
      let p0 = UInt64(0xD251_1F53) * UInt64(c.x)
      let p1 = UInt64(0xCD9E_8D57) * UInt64(c.z)
      c = [
        UInt32(truncatingIfNeeded: p1 >> 32) ^ c.y ^ k.x, UInt32(truncatingIfNeeded: p1),
        UInt32(truncatingIfNeeded: p0 >> 32) ^ c.w ^ k.y, UInt32(truncatingIfNeeded: p0),
      ]
      k = [k.x &+ 0x9E37_79B9, k.y &+ 0xBB67_AE85]
    }
    return c
  }
}
