/// Real spherical harmonics up to l = 3 in e3nn's basis (y is the polar axis) and component normalisation:
/// Σ_m Y_lm² = 2l + 1 on the unit sphere.
enum SphericalHarmonics {
  static let maximumDegree = 3

  static func count(_ lMax: Int) -> Int { (lMax + 1) * (lMax + 1) }

  /// Writes Y_lm(u) for all l ≤ lMax, for a unit vector u.
  @inline(__always)
  static func evaluate<S: Arithmetic>(_ lMax: Int, _ x: S, _ y: S, _ z: S, into ylm: UnsafeMutablePointer<S>) {
    ylm[0] = S(1)
    guard lMax >= 1 else { return }
    let c1 = S(1.7320508075688772)
    ylm[1] = c1 * x
    ylm[2] = c1 * y
    ylm[3] = c1 * z
    guard lMax >= 2 else { return }
    let (xx, yy, zz) = (x * x, y * y, z * z)
    let c2 = S(3.872983346207417)  // √15
    ylm[4] = c2 * x * z
    ylm[5] = c2 * x * y
    ylm[6] = S(2.23606797749979) * (yy - S(0.5) * (xx + zz))
    ylm[7] = c2 * y * z
    ylm[8] = S(0.5) * c2 * (zz - xx)
    guard lMax >= 3 else { return }
    let (a, b, c, d) = (S(2.091650066335189), S(10.246950765959598), S(1.6201851746019651), S(1.3228756555322954))
    ylm[9] = a * x * (S(3) * zz - xx)
    ylm[10] = b * x * y * z
    ylm[11] = c * x * (S(4) * yy - xx - zz)
    ylm[12] = d * y * (S(2) * yy - S(3) * (xx + zz))
    ylm[13] = c * z * (S(4) * yy - xx - zz)
    ylm[14] = S(0.5) * b * y * (zz - xx)
    ylm[15] = a * z * (zz - S(3) * xx)
  }

  /// The gradient with respect to the vector r = |r| u of Σ g_lm Y_lm(r/|r|), for given g.
  ///
  /// Each Y_l is a homogeneous polynomial of degree l, so that ∂Y/∂r = (∇Y - l Y u) / |r|.
  @inline(__always)
  static func pullBack<S: Arithmetic>(
    _ lMax: Int, _ x: S, _ y: S, _ z: S, _ ylm: UnsafePointer<S>, _ g: UnsafePointer<S>, inverseLength: S
  ) -> (S, S, S) {
    guard lMax >= 1 else { return (S(0), S(0), S(0)) }
    let c1 = S(1.7320508075688772)
    var (gx, gy, gz) = (c1 * g[1], c1 * g[2], c1 * g[3])
    var radial = ylm[1] * g[1] + ylm[2] * g[2] + ylm[3] * g[3]
    if lMax >= 2 {
      let c2 = S(3.872983346207417)
      let c3 = S(2.23606797749979)
      gx += c2 * (z * g[4] + y * g[5] - x * g[8]) - c3 * x * g[6]
      gy += c2 * (x * g[5] + z * g[7]) + S(2) * c3 * y * g[6]
      gz += c2 * (x * g[4] + y * g[7] + z * g[8]) - c3 * z * g[6]
      radial += S(2) * (ylm[4] * g[4] + ylm[5] * g[5] + ylm[6] * g[6] + ylm[7] * g[7] + ylm[8] * g[8])
    }
    if lMax >= 3 {
      let (xx, yy, zz) = (x * x, y * y, z * z)
      let (a, b, c, d) = (S(2.091650066335189), S(10.246950765959598), S(1.6201851746019651), S(1.3228756555322954))
      let (two, three, six, eight) = (S(2), S(3), S(6), S(8))
      gx += a * (three * (zz - xx) * g[9] - six * x * z * g[15]) + b * (y * z * g[10] - x * y * g[14])
      gx += c * ((S(4) * yy - three * xx - zz) * g[11] - two * x * z * g[13]) - six * d * x * y * g[12]
      gy += b * (x * z * g[10] + S(0.5) * (zz - xx) * g[14]) + c * eight * y * (x * g[11] + z * g[13])
      gy += d * (six * yy - three * (xx + zz)) * g[12]
      gz += a * (six * x * z * g[9] + three * (zz - xx) * g[15]) + b * (x * y * g[10] + y * z * g[14])
      gz += c * ((S(4) * yy - xx - three * zz) * g[13] - two * x * z * g[11]) - six * d * y * z * g[12]
      var sum = S(0)
      for m in 9..<16 { sum += ylm[m] * g[m] }
      radial += three * sum
    }
    return ((gx - radial * x) * inverseLength, (gy - radial * y) * inverseLength, (gz - radial * z) * inverseLength)
  }
}
