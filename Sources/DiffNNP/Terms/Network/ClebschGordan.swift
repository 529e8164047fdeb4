#if canImport(Glibc)
  import Glibc
#endif

/// Coupling of real spherical harmonics, in the basis and with the signs of e3nn (0.5 and later): component order
/// m = -l…l with y as the polar axis, and Σ C² = 1.
public enum ClebschGordan {
  /// C[m1][m2][m3], flattened in this order, of shape (2l₁+1)(2l₂+1)(2l₃+1): invariant under rotation of all three.
  /// Requires |l₁-l₂| ≤ l₃ ≤ l₁+l₂.
  public static func real(_ l1: Int, _ l2: Int, _ l3: Int) -> [Double] {
    let (q1, q2, q3) = (toComplex(l1), toComplex(l2), toComplex(l3))
    let (d1, d2, d3) = (2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1)
    var result = [Double](repeating: 0, count: d1 * d2 * d3)
    for a in 0..<d1 {
      for b in 0..<d2 {
        for c in 0..<d3 {
          var sum = Complex(0, 0)
          // Each row of the basis change has entries at ±m alone.
          for i in Set([a, d1 - 1 - a]) {
            for k in Set([b, d2 - 1 - b]) {
              let m3 = (i - l1) + (k - l2)
              guard abs(m3) <= l3 else { continue }
              let coupling = su2(l1, i - l1, l2, k - l2, l3, m3)
              sum = sum + coupling * (q1[i][a] * q2[k][b] * q3[m3 + l3][c].conjugate)
            }
          }
          result[(a * d2 + b) * d3 + c] = sum.re
        }
      }
    }
    let norm = result.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return result.map { abs($0) < 1e-14 ? 0 : $0 / norm }
  }

  private struct Complex {
    var re: Double
    var im: Double
    init(_ re: Double, _ im: Double) { (self.re, self.im) = (re, im) }
    var conjugate: Complex { Complex(re, -im) }
    static func + (a: Complex, b: Complex) -> Complex { Complex(a.re + b.re, a.im + b.im) }
    static func * (a: Complex, b: Complex) -> Complex {
      Complex(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)
    }
    static func * (a: Double, b: Complex) -> Complex { Complex(a * b.re, a * b.im) }
  }

  /// Real harmonics in terms of complex ones, times (-i)^l, which makes the couplings real.
  private static func toComplex(_ l: Int) -> [[Complex]] {
    var q = [[Complex]](repeating: .init(repeating: Complex(0, 0), count: 2 * l + 1), count: 2 * l + 1)
    let h = 0.5.squareRoot()
    q[l][l] = Complex(1, 0)
    for m in stride(from: 1, through: l, by: 1) {
      q[l - m][l + m] = Complex(h, 0)
      q[l - m][l - m] = Complex(0, -h)
      let sign = m % 2 == 0 ? h : -h
      q[l + m][l + m] = Complex(sign, 0)
      q[l + m][l - m] = Complex(0, sign)
    }
    let phase = [Complex(1, 0), Complex(0, -1), Complex(-1, 0), Complex(0, 1)][l % 4]
    return q.map { $0.map { phase * $0 } }
  }

  /// ⟨j₁m₁ j₂m₂ | j₃m₃⟩ by Racah's formula.
  private static func su2(_ j1: Int, _ m1: Int, _ j2: Int, _ m2: Int, _ j3: Int, _ m3: Int) -> Double {
    guard m3 == m1 + m2 else { return 0 }
    func f(_ n: Int) -> Double { tgamma(Double(n) + 1).rounded() }
    let prefactor =
      (Double(2 * j3 + 1) * f(j3 + j1 - j2) * f(j3 - j1 + j2) * f(j1 + j2 - j3) / f(j1 + j2 + j3 + 1)
      * f(j3 + m3) * f(j3 - m3) * f(j1 - m1) * f(j1 + m1) * f(j2 - m2) * f(j2 + m2)).squareRoot()
    var sum = 0.0
    for k in 0...(j1 + j2 - j3) {
      let terms = [k, j1 + j2 - j3 - k, j1 - m1 - k, j2 + m2 - k, j3 - j2 + m1 + k, j3 - j1 - m2 + k]
      guard terms.allSatisfy({ $0 >= 0 }) else { continue }
      sum += (k % 2 == 0 ? 1 : -1) / terms.reduce(1.0) { $0 * f($1) }
    }
    return prefactor * sum
  }
}
