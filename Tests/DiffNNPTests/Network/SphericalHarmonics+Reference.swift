#if canImport(Glibc)
  import Glibc
#endif

@testable import DiffNNP

extension SphericalHarmonics {
  /// Y_lm(u) for all l ≤ lMax by the textbook: associated Legendre functions of cos θ, with y as the polar axis and
  /// φ from z towards x, times √2 sin |m|φ or √2 cos mφ, without the Condon–Shortley phase.
  static func reference(_ lMax: Int, _ u: SIMD3<Double>) -> [Double] {
    let (cosine, sine, phi) = (u.y, hypot(u.x, u.z), atan2(u.x, u.z))
    return (0...lMax).flatMap { l in
      (-l...l).map { m in
        let k = abs(m)
        let norm = (Double(2 * l + 1) * (m == 0 ? 1 : 2) * tgamma(Double(l - k + 1)) / tgamma(Double(l + k + 1)))
          .squareRoot()
        return norm * legendre(l, k, cosine, sine) * (m < 0 ? sin(Double(k) * phi) : cos(Double(k) * phi))
      }
    }
  }

  /// P_l^m(cos θ) = (2m - 1)!! sin^m θ for l = m, and from there upwards in l by the three-term recurrence.
  private static func legendre(_ l: Int, _ m: Int, _ cosine: Double, _ sine: Double) -> Double {
    var (below, value) = (0.0, pow(sine, Double(m)))
    for k in stride(from: 1, to: 2 * m, by: 2) { value *= Double(k) }
    for n in stride(from: m + 1, through: l, by: 1) {
      (below, value) = (value, (Double(2 * n - 1) * cosine * value - Double(n + m - 1) * below) / Double(n - m))
    }
    return value
  }

  /// As the kernel gives them.
  static func values(_ lMax: Int, _ u: SIMD3<Double>) -> [Double] {
    var values = [Double](repeating: 0, count: count(lMax))
    values.withUnsafeMutableBufferPointer { evaluate(lMax, u.x, u.y, u.z, into: $0.baseAddress!) }
    return values
  }
}
