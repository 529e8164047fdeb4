/// Cubic splines through values at uniform knots, as rows of monomial coefficients: linear in the values, and local.
enum RadialSpline {
  /// Rows for a number of intervals: coefficients of 1, t, t², t³ for each.
  static func rows(_ intervals: Int) -> Int { 4 * intervals }

  /// - Parameter values: at knots -3…intervals + 3.
  static func rows(fromValues f: [Double], intervals: Int) -> [Double] {
    // B-spline coefficients of knots -1…intervals + 1; the last three stay zero.
    var b = [Double](repeating: 0, count: intervals + 3)
    for k in 0..<intervals {
      let at = k + 2
      b[k] = stencil.0 * f[at] + stencil.1 * (f[at - 1] + f[at + 1]) + stencil.2 * (f[at - 2] + f[at + 2])
    }
    var rows = [Double](repeating: 0, count: self.rows(intervals))
    for m in 0..<intervals {
      let (b0, b1, b2, b3) = (b[m], b[m + 1], b[m + 2], b[m + 3])
      rows[4 * m] = (b0 + 4 * b1 + b2) / 6
      rows[4 * m + 1] = (b2 - b0) / 2
      rows[4 * m + 2] = (b0 - 2 * b1 + b2) / 2
      rows[4 * m + 3] = (b3 - b0 + 3 * (b1 - b2)) / 6
    }
    return rows
  }

  /// The transpose: from a gradient with respect to rows to that with respect to values.
  static func pullBack(_ g: [Double], intervals: Int) -> [Double] {
    var b = [Double](repeating: 0, count: intervals + 3)
    for m in 0..<intervals {
      let (g0, g1, g2, g3) = (g[4 * m], g[4 * m + 1], g[4 * m + 2], g[4 * m + 3])
      b[m] += g0 / 6 - g1 / 2 + g2 / 2 - g3 / 6
      b[m + 1] += 4 * g0 / 6 - g2 + g3 / 2
      b[m + 2] += g0 / 6 + g1 / 2 + g2 / 2 - g3 / 2
      b[m + 3] += g3 / 6
    }
    var f = [Double](repeating: 0, count: intervals + 7)
    for k in 0..<intervals {
      let at = k + 2
      f[at] += stencil.0 * b[k]
      f[at - 1] += stencil.1 * b[k]
      f[at + 1] += stencil.1 * b[k]
      f[at - 2] += stencil.2 * b[k]
      f[at + 2] += stencil.2 * b[k]
    }
    return f
  }

  /// 1 - δ²/6 + δ⁴/36 at offsets 0, ±1, ±2.
  private static var stencil: (Double, Double, Double) { (1 + 2.0 / 6 + 6.0 / 36, -1.0 / 6 - 4.0 / 36, 1.0 / 36) }
}
