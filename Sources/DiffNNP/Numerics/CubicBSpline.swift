/// Uniform cubic B-splines: the four basis functions that do not vanish within one knot interval.
public enum CubicBSpline {
  /// Values and derivatives with respect to t of the four basis functions at t in [0, 1] of an interval, leftmost
  /// first.
  @inlinable @inline(__always)
  public static func basis(_ t: Double) -> (value: SIMD4<Double>, slope: SIMD4<Double>) {
    let u = 1 - t
    let t2 = t * t
    let u2 = u * u
    let value = 1 / 6 * SIMD4(u2 * u, 3 * t2 * t - 6 * t2 + 4, 3 * u2 * u - 6 * u2 + 4, t2 * t)
    let slope = 0.5 * SIMD4(-u2, 3 * t2 - 4 * t, 4 * u - 3 * u2, t2)
    return (value, slope)
  }

  /// Second derivatives with respect to t of the four basis functions at t in [0, 1] of an interval, leftmost first.
  @inlinable @inline(__always)
  public static func curvature(_ t: Double) -> SIMD4<Double> { [1 - t, 3 * t - 2, 1 - 3 * t, t] }

  /// The knot interval of a position s ≥ 0, which is in units of the knot spacing, and the position t within it. Positions
  /// beyond the last of `count` intervals are counted to it.
  @inlinable @inline(__always)
  public static func locate(_ s: Double, count: Int) -> (interval: Int, t: Double) {
    let interval = min(Int(s), count - 1)
    return (interval, s - Double(interval))
  }

  /// Writes what `basis` says at four values of t at once: values of the first function, of the second, …, and then
  /// derivatives.
  @inline(__always)
  static func basis(_ t: SIMD4<Double>, into functions: UnsafeMutablePointer<SIMD4<Double>>) {
    let u = 1 - t
    let (t2, u2) = (t * t, u * u)
    functions[0] = 1 / 6 * (u2 * u)
    functions[1] = 2 / 3 + t2 * (0.5 * t - 1)
    functions[2] = 2 / 3 + u2 * (0.5 * u - 1)
    functions[3] = 1 / 6 * (t2 * t)
    functions[4] = -0.5 * u2
    functions[5] = t * (1.5 * t - 2)
    functions[6] = u * (2 - 1.5 * u)
    functions[7] = 0.5 * t2
  }

  /// The coefficients of 1, t, t² and t³ within an interval of a sum of the four functions with given weights.
  @inline(__always)
  static func polynomial(_ c: SIMD4<Double>) -> SIMD4<Double> {
    SIMD4(
      (c.x + 4 * c.y + c.z) / 6, 0.5 * (c.z - c.x), 0.5 * (c.x + c.z) - c.y, (c.w - c.x + 3 * (c.y - c.z)) / 6)
  }

  /// The knot intervals of four positions s ≥ 0, which are in units of the knot spacing, and the positions t within
  /// them. Positions beyond the interval `last` are counted to it.
  @inline(__always)
  static func locate(_ s: SIMD4<Double>, last: Double) -> (interval: SIMD4<Int>, t: SIMD4<Double>) {
    let last = SIMD4(repeating: last)
    let centred = s - 0.5
    // Adding 1.5 · 2⁵² rounds to a whole number, which is then in the last bits. A knot may be counted to either side.
    let shift = SIMD4<Double>(repeating: 0x1.8p52)
    let shifted = last.replacing(with: centred, where: centred .< last) + shift
    let interval = unsafeBitCast(shifted, to: SIMD4<Int>.self) &- unsafeBitCast(shift, to: SIMD4<Int>.self)
    assert(
      all(interval .>= 0) && all(interval .<= Int(last[0])), "positions \(s) are not in 0...\(last[0])")
    return (interval, s - (shifted - shift))
  }
}
