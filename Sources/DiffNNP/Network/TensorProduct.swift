/// The tensor product of NequIP ("uvu"), the kernel in which most of the time goes: channel by channel,
/// a[m₃] += w Σ C[m₁ m₂ m₃] Y[m₂] x[m₁] = w Σ M[m₁ m₃] x[m₁], for one path and the edges of a batch. `Network+Reference` in
/// the tests has it as the first of these sums.
///
/// Each kernel is written once, for any degrees, and inlined for low ones, which turns its loops over components into
/// straight code with features in registers.
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

/// Adds to `a` the products of the neighbours' features, the edges' matrices, and the radial weights.
struct Multiplication<L: Lanes>: TensorProductKernel {
  let batch: EdgeBatch<L>
  let a: UnsafeMutablePointer<L>

  @inline(__always)
  func scale(_ d: Int, _ path: Path) {
    let (path, batch) = (path.pointee, batch)
    let vectors = path.vectors
    for v in 0..<vectors {
      let a = a + (path.output &+ v)
      var sums = Components<L>(repeating: .zero)
      for m in 0..<d { sums[unchecked: m] = a[m &* vectors] }
      for e in 0..<batch.count {
        let weight = L.spline(batch.spline(e, path.radial &+ v), at: batch.edges[e].t).value
        let x = batch.sources + (batch.source(e) &+ path.input &+ v)
        for m in 0..<d { sums[unchecked: m].add(weight, times: x[m &* vectors]) }
      }
      for m in 0..<d { a[m &* vectors] = sums[unchecked: m] }
    }
  }

  @inline(__always)
  func multiply(_ l1: Int, _ l2: Int, _ l3: Int, _ path: Path) {
    let (path, batch) = (path.pointee, batch)
    let vectors = path.vectors
    let (d1, d3) = (2 &* l1 &+ 1, 2 &* l3 &+ 1)
    for v in 0..<vectors {
      let a = a + (path.output &+ v)
      var sums = Components<L>(repeating: .zero)
      for k in 0..<d3 { sums[unchecked: k] = a[k &* vectors] }
      for e in 0..<batch.count {
        let weight = L.spline(batch.spline(e, path.radial &+ v), at: batch.edges[e].t).value
        let x = batch.sources + (batch.source(e) &+ path.input &+ v)
        var features = Components<L>(repeating: .zero)
        for m in 0..<d1 { features[unchecked: m] = x[m &* vectors] }
        // The weight goes where there are fewer components.
        if d1 < d3 { for m in 0..<d1 { features[unchecked: m] = features[unchecked: m] * weight } }
        for k in 0..<d3 {
          var sum = d1 < d3 ? sums[unchecked: k] : L.zero
          for m in 0..<d1 { sum.add(features[unchecked: m], times: batch.matrix(e, path, (l1, l2, l3), m, k)) }
          if d1 < d3 { sums[unchecked: k] = sum } else { sums[unchecked: k].add(sum, times: weight) }
        }
      }
      for k in 0..<d3 { a[k &* vectors] = sums[unchecked: k] }
    }
  }
}

/// From the gradient `g` with respect to the product, the same for all edges of a centre: adds those with respect to the
/// neighbours' features, the edges, and the splines.
struct MultiplicationPullBack<L: Lanes>: TensorProductKernel {
  let batch: EdgeBatch<L>
  let g: UnsafePointer<L>
  /// Coefficients C of products of three degrees above 0.
  let coefficients: UnsafePointer<L.Weight>
  /// With respect to sources [atom][sourceVectors].
  let gx: UnsafeMutablePointer<L>
  /// With respect to the harmonics of the batch's edges [count][harmonicCount]; in place of the constant one, which has no gradient, stands that
  /// with respect to the length in knot spacings.
  let gEdge: UnsafeMutablePointer<L>
  /// With respect to splines, as they lie in the batch; nil where unwanted.
  let gSplines: UnsafeMutablePointer<L.Weight>?
  /// Whether `gEdge` is needed.
  let wantsEdges: Bool
  /// Whether `gx` is needed where features are scalars: those of the first layer alone may not be.
  let wantsScalars: Bool

  @inline(__always)
  func scale(_ d: Int, _ path: Path) {
    let (path, batch) = (path.pointee, batch)
    let vectors = path.vectors
    for v in 0..<vectors {
      let g = g + (path.output &+ v)
      var gradients = Components<L>(repeating: .zero)
      for m in 0..<d { gradients[unchecked: m] = g[m &* vectors] }
      for e in 0..<batch.count {
        let (weight, slope) = L.spline(batch.spline(e, path.radial &+ v), at: batch.edges[e].t)
        let place = batch.source(e) &+ path.input &+ v
        let (x, gx) = (batch.sources + place, gx + place)
        var total = L.zero
        for m in 0..<d {
          total.add(gradients[unchecked: m], times: x[m &* vectors])
          if d > 1 || wantsScalars { gx[m &* vectors].add(gradients[unchecked: m], times: weight) }
        }
        pullBackWeight(total, slope, e, path.radial &+ v)
      }
    }
  }

  @inline(__always)
  func multiply(_ l1: Int, _ l2: Int, _ l3: Int, _ path: Path) {
    let (path, batch) = (path.pointee, batch)
    let (vectors, coefficients) = (path.vectors, coefficients + path.coefficients)
    let (d1, d2, d3) = (2 &* l1 &+ 1, 2 &* l2 &+ 1, 2 &* l3 &+ 1)
    for v in 0..<vectors {
      let g = g + (path.output &+ v)
      var gradients = Components<L>(repeating: .zero)
      for k in 0..<d3 { gradients[unchecked: k] = g[k &* vectors] }
      for e in 0..<batch.count {
        let (weight, slope) = L.spline(batch.spline(e, path.radial &+ v), at: batch.edges[e].t)
        let place = batch.source(e) &+ path.input &+ v
        let (x, gx) = (batch.sources + place, gx + place)
        var features = Components<L>(repeating: .zero)
        for m in 0..<d1 { features[unchecked: m] = x[m &* vectors] }
        var total = L.zero
        for m in 0..<d1 {
          var sum = L.zero
          for k in 0..<d3 { sum.add(gradients[unchecked: k], times: batch.matrix(e, path, (l1, l2, l3), m, k)) }
          total.add(sum, times: features[unchecked: m])
          if l1 > 0 || wantsScalars { gx[m &* vectors].add(sum, times: weight) }
        }
        pullBackWeight(total, slope, e, path.radial &+ v)
        guard wantsEdges else { continue }
        let gYlm = gEdge + (e &* batch.harmonicCount &+ l2 &* l2)
        var harmonicGradients = Components<L>(repeating: .zero)
        for m in 0..<d2 { harmonicGradients[unchecked: m] = gYlm[m] }
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
        for m in 0..<d2 { gYlm[m] = harmonicGradients[unchecked: m] }
      }
    }
  }

  /// From the gradient with respect to a vector of radial weights to those with respect to length and spline.
  @inline(__always)
  private func pullBackWeight(_ g: L, _ slope: L, _ e: Int, _ vector: Int) {
    if wantsEdges { gEdge[e &* batch.harmonicCount].add(g, times: slope) }
    guard let gSplines else { return }
    let target = gSplines + (batch.spline(e, vector) - batch.splines)
    let t = batch.edges[e].t
    let t2 = t * t
    target[0] = target[0] + L.weightGradient(g)
    target[1] = target[1] + L.weightGradient(g, t)
    target[2] = target[2] + L.weightGradient(g, t2)
    target[3] = target[3] + L.weightGradient(g, t * t2)
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
