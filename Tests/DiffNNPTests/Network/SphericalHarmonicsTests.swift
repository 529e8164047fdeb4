import Testing

@testable import DiffNNP

@Suite struct SphericalHarmonicsTests {
  static let directions: [SIMD3<Double>] = {
    var random = SplitMix(seed: 11)
    let axes: [SIMD3<Double>] = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, -1, 0]]
    return axes + (0..<20).map { _ in random.vector() }.map { $0 / length($0) }
  }()

  @Test(arguments: 0...3)
  func agreesWithLegendreFunctions(_ lMax: Int) {
    for u in Self.directions {
      let expected = SphericalHarmonics.reference(lMax, u)
      for (a, b) in zip(SphericalHarmonics.values(lMax, u), expected) { #expect(abs(a - b) < 1e-13) }
    }
  }

  @Test func hasComponentNormalisation() {
    for u in Self.directions {
      let y = SphericalHarmonics.values(3, u)
      for l in 0...3 {
        let sum = y[l * l..<(l + 1) * (l + 1)].reduce(0) { $0 + $1 * $1 }
        #expect(abs(sum - Double(2 * l + 1)) < 1e-13)
      }
    }
  }

  /// The gradient of Σ g Y(r/|r|), against central differences of the reference.
  @Test(arguments: 0...3)
  func pullBackIsTheGradient(_ lMax: Int) {
    var random = SplitMix(seed: 12)
    let g = (0..<SphericalHarmonics.count(lMax)).map { _ in Double.random(in: -1...1, using: &random) }
    func value(_ r: SIMD3<Double>) -> Double {
      zip(g, SphericalHarmonics.reference(lMax, r / length(r))).reduce(0) { $0 + $1.0 * $1.1 }
    }
    for direction in Self.directions {
      let r = 1.7 * direction
      let y = SphericalHarmonics.values(lMax, direction)
      let gradient = SphericalHarmonics.pullBack(
        lMax, direction.x, direction.y, direction.z, y, g, inverseLength: 1 / 1.7)
      for (k, found) in [gradient.0, gradient.1, gradient.2].enumerated() {
        var step = SIMD3<Double>.zero
        step[k] = 1e-5
        #expect(abs((value(r + step) - value(r - step)) / 2e-5 - found) < 1e-8)
      }
    }
  }

  @Test func dualNumbersCarryTheDerivative() {
    let (u, v): (SIMD3<Double>, SIMD3<Double>) = ([0.6, 0, -0.8], [0.3, -1, 0.2])
    var duals = [Dual<Double>](repeating: Dual(0), count: 16)
    duals.withUnsafeMutableBufferPointer {
      SphericalHarmonics.evaluate(3, Dual(u.x, v.x), Dual(u.y, v.y), Dual(u.z, v.z), into: $0.baseAddress!)
    }
    // The kernel's polynomials are differentiated as they stand, off the unit sphere too.
    let (up, down) = (SphericalHarmonics.values(3, u + 1e-5 * v), SphericalHarmonics.values(3, u - 1e-5 * v))
    for k in 0..<16 { #expect(abs(duals[k].tangent - (up[k] - down[k]) / 2e-5) < 1e-8) }
  }
}
