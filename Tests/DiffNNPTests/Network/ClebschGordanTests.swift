import Testing

@testable import DiffNNP

@Suite struct ClebschGordanTests {
  /// All (l₁, l₂, l₃) that networks use.
  static let triples: [[Int]] = (0...3).flatMap { a in
    (0...3).flatMap { b in (abs(a - b)...min(a + b, 3)).map { [a, b, $0] } }
  }

  /// Σ C Y(u) Y(v) Y(w) is the same after all three have been turned.
  @Test(arguments: triples)
  func isInvariantUnderRotation(_ l: [Int]) {
    let table = ClebschGordan.real(l[0], l[1], l[2])
    func contracted(_ vectors: [SIMD3<Double>]) -> Double {
      let y = zip(l, vectors).map { l, u in Array(SphericalHarmonics.values(3, u)[l * l..<(l + 1) * (l + 1)]) }
      var (sum, k) = (0.0, 0)
      for a in y[0] {
        for b in y[1] {
          for c in y[2] {
            sum += table[k] * a * b * c
            k += 1
          }
        }
      }
      return sum
    }
    var random = SplitMix(seed: 31)
    for _ in 0..<5 {
      let vectors = (0..<3).map { _ in random.vector() }.map { $0 / length($0) }
      let rotation = Rotation.random(using: &random)
      #expect(abs(contracted(vectors) - contracted(vectors.map { rotation($0) })) < 1e-12)
    }
  }

  /// Σ over m₁ m₂ of C(l₃) C(l₃') is δ/(2l₃ + 1): products of different l₃ do not mix, and Σ C² = 1.
  @Test func isOrthogonal() {
    for a in 0...3 {
      for b in 0...3 {
        let degrees = Array(abs(a - b)...(a + b))
        let tables = degrees.map { ClebschGordan.real(a, b, $0) }
        let rows = (2 * a + 1) * (2 * b + 1)
        for (i, first) in degrees.enumerated() {
          for (j, second) in degrees.enumerated() {
            for c in 0..<2 * first + 1 {
              for d in 0..<2 * second + 1 {
                let sum = (0..<rows).reduce(0) {
                  $0 + tables[i][$1 * (2 * first + 1) + c] * tables[j][$1 * (2 * second + 1) + d]
                }
                let expected = i == j && c == d ? 1 / Double(2 * first + 1) : 0
                #expect(abs(sum - expected) < 1e-13)
              }
            }
          }
        }
      }
    }
  }
}
