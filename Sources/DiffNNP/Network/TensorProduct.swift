/// The tensor product of NequIP ("uvu"), the kernel in which most of the time goes: channel by channel,
/// a[m₃] += w Σ C[m₁ m₂ m₃] Y[m₂] x[m₁] = w Σ M[m₁ m₃] x[m₁], for one path and one edge. `Network+Reference` in the tests
/// has it as the first of these sums.
///
/// Each kernel is written once, for any degrees, and inlined for low ones, which turns its loops into straight code with
/// features in registers.
protocol TensorProductKernel {
  typealias Path = UnsafePointer<NetworkLayout.Path>

  /// The product with the constant harmonic, of features with `d` components.
  func scale(_ d: Int, _ path: Path)
  /// The product of degrees l₁ and l₂ to l₃.
  func multiply(_ l1: Int, _ l2: Int, _ l3: Int, _ path: Path)
}

extension TensorProductKernel {
  func run(_ path: Path) {
    switch path.pointee.degrees {
    case 0o000: scale(1, path)
    case 0o101: scale(3, path)
    case 0o202: scale(5, path)
    case 0o303: scale(7, path)
    case 0o011: multiply(0, 1, 1, path)
    case 0o022: multiply(0, 2, 2, path)
    case 0o110: multiply(1, 1, 0, path)
    case 0o220: multiply(2, 2, 0, path)
    case 0o111: multiply(1, 1, 1, path)
    case 0o112: multiply(1, 1, 2, path)
    case 0o121: multiply(1, 2, 1, path)
    case 0o211: multiply(2, 1, 1, path)
    case 0o122: multiply(1, 2, 2, path)
    case 0o212: multiply(2, 1, 2, path)
    case 0o221: multiply(2, 2, 1, path)
    case 0o222: multiply(2, 2, 2, path)
    case let degrees: multiply(degrees >> 6, degrees >> 3 & 7, degrees & 7, path)
    }
  }
}

/// Components of features of one channel vector, at most those of degree 3.
private typealias Components<L> = InlineArray<7, L>

/// Adds to `a` the product of a neighbour's features `x`, the edge's matrices, and the radial weights `w`.
struct Multiplication<L: Lanes>: TensorProductKernel {
  let x: UnsafePointer<L>
  let matrices: UnsafePointer<L>
  let w: UnsafePointer<L>
  let a: UnsafeMutablePointer<L>

  @inline(__always)
  func scale(_ d: Int, _ path: Path) {
    let path = path.pointee
    let (vectors, x, w, a) = (path.vectors, x + path.input, w + path.radial, a + path.output)
    for v in 0..<vectors {
      let weight = w[v]
      for m in 0..<d { a[m &* vectors &+ v].add(weight, times: x[m &* vectors &+ v]) }
    }
  }

  @inline(__always)
  func multiply(_ l1: Int, _ l2: Int, _ l3: Int, _ path: Path) {
    let path = path.pointee
    let (vectors, x, w, a) = (path.vectors, x + path.input, w + path.radial, a + path.output)
    let matrix = matrices + path.matrix
    let (d1, d3) = (2 &* l1 &+ 1, 2 &* l3 &+ 1)
    for v in 0..<vectors {
      let weight = w[v]
      var features = Components<L>(repeating: .zero)
      for m in 0..<d1 { features[unchecked: m] = x[m &* vectors &+ v] }
      // The weight goes where there are fewer components.
      if d1 < d3 { for m in 0..<d1 { features[unchecked: m] = features[unchecked: m] * weight } }
      for k in 0..<d3 {
        var sum = d1 < d3 ? a[k &* vectors &+ v] : L.zero
        for m in 0..<d1 { sum.add(features[unchecked: m], times: L.load(matrix, m &* d3 &+ k)) }
        if d1 < d3 { a[k &* vectors &+ v] = sum } else { a[k &* vectors &+ v].add(sum, times: weight) }
      }
    }
  }
}

/// From the gradient `g` with respect to the product: adds those with respect to features and harmonics to `gx` and
/// `gYlm`, and sets that with respect to the radial weights, `gw`.
struct MultiplicationPullBack<L: Lanes>: TensorProductKernel {
  let g: UnsafePointer<L>
  let x: UnsafePointer<L>
  let matrices: UnsafePointer<L>
  /// Coefficients C of products of three degrees above 0.
  let coefficients: UnsafePointer<L.Weight>
  let w: UnsafePointer<L>
  let gx: UnsafeMutablePointer<L>
  let gYlm: UnsafeMutablePointer<L>
  let gw: UnsafeMutablePointer<L>
  /// Whether `gYlm` is needed.
  let wantsHarmonics: Bool
  /// Whether `gx` is needed where features are scalars: those of the first layer alone may not be.
  let wantsScalars: Bool

  @inline(__always)
  func scale(_ d: Int, _ path: Path) {
    let path = path.pointee
    let (vectors, g, x, w) = (path.vectors, g + path.output, x + path.input, w + path.radial)
    let (gx, gw) = (gx + path.input, gw + path.radial)
    for v in 0..<vectors {
      let weight = w[v]
      var sum = L.zero
      for m in 0..<d {
        let k = m &* vectors &+ v
        let gradient = g[k]
        sum.add(gradient, times: x[k])
        if d > 1 || wantsScalars { gx[k].add(gradient, times: weight) }
      }
      gw[v] = sum
    }
  }

  @inline(__always)
  func multiply(_ l1: Int, _ l2: Int, _ l3: Int, _ path: Path) {
    let path = path.pointee
    let (vectors, g, x, w) = (path.vectors, g + path.output, x + path.input, w + path.radial)
    let (gx, gYlm, gw) = (gx + path.input, gYlm + l2 &* l2, gw + path.radial)
    let (matrix, coefficients) = (matrices + path.matrix, coefficients + path.coefficients)
    let (d1, d2, d3) = (2 &* l1 &+ 1, 2 &* l2 &+ 1, 2 &* l3 &+ 1)
    var harmonicGradients = Components<L>(repeating: .zero)
    for v in 0..<vectors {
      let weight = w[v]
      var (features, gradients) = (Components<L>(repeating: .zero), Components<L>(repeating: .zero))
      for m in 0..<d1 { features[unchecked: m] = x[m &* vectors &+ v] }
      for k in 0..<d3 { gradients[unchecked: k] = g[k &* vectors &+ v] }
      var total = L.zero
      for m in 0..<d1 {
        var sum = L.zero
        for k in 0..<d3 { sum.add(gradients[unchecked: k], times: L.load(matrix, m &* d3 &+ k)) }
        total.add(sum, times: features[unchecked: m])
        if l1 > 0 || wantsScalars { gx[m &* vectors &+ v].add(sum, times: weight) }
      }
      gw[v] = total
      guard wantsHarmonics else { continue }
      for m in 0..<d1 { features[unchecked: m] = features[unchecked: m] * weight }
      for m in 0..<d1 {
        for k in 0..<d3 {
          if l1 == 0 || l3 == 0 {
            harmonicGradients[unchecked: m &+ k].add(features[unchecked: m], times: gradients[unchecked: k])
          } else {
            let product = features[unchecked: m] * gradients[unchecked: k]
            addCoupled(product, coefficients, m &- l1, k &- l3, (l1, l2, l3), to: &harmonicGradients)
          }
        }
      }
    }
    guard wantsHarmonics else { return }
    for m in 0..<d2 { gYlm[m] = gYlm[m] + harmonicGradients[unchecked: m] }
  }

  /// Adds C[m₁ m₂ m₃]·product for the m₂ that couple with m₁ and m₃: |m₂| is the difference or the sum of |m₁| and |m₃|. An
  /// even number of the three is negative, or an odd one where the sum of degrees is odd.
  @inline(__always)
  private func addCoupled(
    _ product: L, _ coefficients: UnsafePointer<L.Weight>, _ m1: Int, _ m3: Int, _ l: (Int, Int, Int),
    to harmonicGradients: inout Components<L>
  ) {
    let isNegative = ((m1 < 0) != (m3 < 0)) != ((l.0 &+ l.1 &+ l.2) & 1 == 1)
    let (a, b) = (m1 < 0 ? -m1 : m1, m3 < 0 ? -m3 : m3)
    let (small, large) = (a < b ? b &- a : a &- b, a &+ b)
    let d3 = 2 &* l.2 &+ 1
    let row = ((2 &* l.0 &+ 1) &* d3 &+ L.width &- 1) / L.width &* L.width
    let column = (m1 &+ l.0) &* d3 &+ m3 &+ l.2
    if small <= l.1, !(isNegative && small == 0) {
      let m2 = l.1 &+ (isNegative ? -small : small)
      harmonicGradients[unchecked: m2].add(product, constant: L.Weight.load(coefficients, m2 &* row &+ column))
    }
    if large != small, large <= l.1 {
      let m2 = l.1 &+ (isNegative ? -large : large)
      harmonicGradients[unchecked: m2].add(product, constant: L.Weight.load(coefficients, m2 &* row &+ column))
    }
  }
}
