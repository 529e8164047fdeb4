import Testing

@testable import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct LanesTests {
  /// The exponential of single-precision lanes against that of doubles.
  @Test func exponentialIsWithinTwoUlp() {
    var x: Float = -86.4
    while x < 87.9 {
      var lanes = SIMD8<Float>(repeating: x)
      for k in 0..<8 { lanes[k] += 0.0007 * Float(k) }
      let found = SIMD8<Float>.exp(lanes)
      for k in 0..<8 {
        let exact = Glibc.exp(Double(lanes[k]))
        #expect(abs(Double(found[k]) - exact) <= 2 * Double(Float(exact).ulp), "exp(\(lanes[k]))")
      }
      let wide = SIMD16<Float>.exp(SIMD16(lowHalf: -lanes, highHalf: lanes))
      #expect(wide.lowHalf == .exp(-lanes) && wide.highHalf == found)
      x += 0.0113
    }
  }

  @Test func exponentialStaysFiniteAndPositive() {
    let e = SIMD8<Float>.exp([-1e30, -1000, -87, -0.0, 0, 89, 1000, 1e30])
    for k in 0..<8 { #expect(e[k].isFinite && e[k].isNormal && e[k] > 0) }
    #expect(e[3] == 1 && e[4] == 1)
  }

  /// Sums over lanes, of plain and of dual numbers, against plain loops.
  @Test func sumsAreThoseOfEachLane() {
    typealias L = DualLanes<SIMD8<Float>>
    let lanes = (0..<16).map { (k: Int) -> L in
      var lane = L.zero
      for c in 0..<8 {
        lane.value[c] = Float(k * c - 20)
        lane.tangent[c] = Float(k - 3 * c)
      }
      return lane
    }
    var sums = [L.Scalar](repeating: L.Scalar(0), count: 16)
    L.sum(lanes, 13, into: &sums)
    for k in 0..<16 {
      let (value, tangent) = (lanes[k].value, lanes[k].tangent)
      var expected = L.Scalar(0)
      for c in 0..<8 { expected = expected + L.Scalar(value[c], tangent[c]) }
      #expect(sums[k] == expected)
      #expect(sums[k] == lanes[k].sum())
    }
  }

  @Test func sumsOfWideLanesAreThoseOfEachLane() {
    let lanes = (0..<16).map { (k: Int) -> SIMD16<Float> in
      var lane = SIMD16<Float>.zero
      for c in 0..<16 { lane[c] = Float(k * c - 20) }
      return lane
    }
    var sums = [Float](repeating: 0, count: 16)
    SIMD16<Float>.sum(lanes, 13, into: &sums)
    for k in 0..<16 {
      #expect(sums[k] == Float(120 * k - 320))
      #expect(sums[k] == lanes[k].sum())
    }
  }
}
