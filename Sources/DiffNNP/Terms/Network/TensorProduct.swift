/// The tensor product of NequIP ("uvu"), the kernel in which most of the time goes: channel by channel,
/// a[m₃] += Σ C[m₁ m₂ m₃] (w x[m₁] Y[m₂]), for one path and the edges of a batch. `Network+Reference` in the tests has
/// it edge by edge.
///
/// Coefficients C are the same for all edges. So the forward pass sums the outer products w x[m₁] Y[m₂] over edges and
/// couples them at the end; the backward pass couples the gradient g[m₃], which is the same for all edges, to
/// D[m₁ m₂] = Σ C[m₁ m₂ m₃] g[m₃] at the beginning, and computes D·Y and x·D for each edge.
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
    case 0o110: multiply(1, 1, 0, path)
    case 0o111: multiply(1, 1, 1, path)
    case 0o022: multiply(0, 2, 2, path)
    case 0o220: multiply(2, 2, 0, path)
    case 0o112: multiply(1, 1, 2, path)
    case 0o121: multiply(1, 2, 1, path)
    case 0o211: multiply(2, 1, 1, path)
    case 0o122: multiply(1, 2, 2, path)
    case 0o212: multiply(2, 1, 2, path)
    case 0o221: multiply(2, 2, 1, path)
    case 0o222: multiply(2, 2, 2, path)
    case 0o033: multiply(0, 3, 3, path)
    case 0o330: multiply(3, 3, 0, path)
    case 0o123: multiply(1, 2, 3, path)
    case 0o132: multiply(1, 3, 2, path)
    case 0o213: multiply(2, 1, 3, path)
    case 0o231: multiply(2, 3, 1, path)
    case 0o312: multiply(3, 1, 2, path)
    case 0o321: multiply(3, 2, 1, path)
    case 0o133: multiply(1, 3, 3, path)
    case 0o313: multiply(3, 1, 3, path)
    case 0o331: multiply(3, 3, 1, path)
    case 0o223: multiply(2, 2, 3, path)
    case 0o232: multiply(2, 3, 2, path)
    case 0o322: multiply(3, 2, 2, path)
    case 0o233: multiply(2, 3, 3, path)
    case 0o323: multiply(3, 2, 3, path)
    case 0o332: multiply(3, 3, 2, path)
    case 0o333: multiply(3, 3, 3, path)
    case let degrees:
      // More components than those of degree 3 have no room.
      assert(max(degrees >> 6, degrees >> 3 & 7, degrees & 7) <= 3, "degrees \(String(degrees, radix: 8))")
      multiply(degrees >> 6, degrees >> 3 & 7, degrees & 7, path)
    }
  }
}

/// Components of features of one channel vector, at most those of degree 3.
private typealias Components<L> = InlineArray<7, L>
/// Products of two such.
private typealias Matrix<L> = InlineArray<49, L>

/// Adds to `a` the products of the neighbours' features, the edges' harmonics, and the radial weights.
struct Multiplication<L: Lanes>: TensorProductKernel {
  let batch: EdgeBatch<L>
  /// Coupling coefficients of products of three degrees above 0, see `CouplingTable`.
  let coefficients: UnsafePointer<L.Weight.Scalar>
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
        let x = batch.sources + (batch.sourcePlaces[e] &+ path.input &+ v)
        for m in 0..<d { sums[unchecked: m].add(weight, times: x[m &* vectors]) }
      }
      for m in 0..<d { a[m &* vectors] = sums[unchecked: m] }
    }
  }

  @inline(__always)
  func multiply(_ l1: Int, _ l2: Int, _ l3: Int, _ path: Path) {
    let (path, batch) = (path.pointee, batch)
    let vectors = path.vectors
    let (d1, d2, d3) = (2 &* l1 &+ 1, 2 &* l2 &+ 1, 2 &* l3 &+ 1)
    for v in 0..<vectors {
      let a = a + (path.output &+ v)
      // To scalars, the scalar product alone.
      var outer = Matrix<L>(repeating: .zero)
      for e in 0..<batch.count {
        let weight = L.spline(batch.spline(e, path.radial &+ v), at: batch.edges[e].t).value
        let x = batch.sources + (batch.sourcePlaces[e] &+ path.input &+ v)
        let ylm = batch.harmonics(e, degree: l2)
        if l3 == 0 {
          var sum = L.zero
          for m in 0..<d1 { sum.add(x[m &* vectors], times: ylm[m]) }
          outer[unchecked: 0].add(sum, times: weight)
        } else {
          for m1 in 0..<d1 {
            let feature = x[m1 &* vectors] * weight
            for m2 in 0..<d2 { outer[unchecked: m1 &* d2 &+ m2].add(feature, times: ylm[m2]) }
          }
        }
      }
      if l1 == 0 || l3 == 0 {
        for k in 0..<d3 { a[k &* vectors] = a[k &* vectors] + outer[unchecked: k] }
      } else {
        var sums = Components<L>(repeating: .zero)
        for k in 0..<d3 { sums[unchecked: k] = a[k &* vectors] }
        Coupling(l1, l2, l3, coefficients + path.coefficients).forEach { m1, m2, m3, c in
          sums[unchecked: m3].add(outer[unchecked: m1 &* d2 &+ m2], constant: c)
        }
        for k in 0..<d3 { a[k &* vectors] = sums[unchecked: k] }
      }
    }
  }
}

/// Computes gradients from the gradient `g` with respect to the product, the same for all edges of a centre: adds those
/// with respect to the neighbours' features, the edges, and the splines.
struct MultiplicationPullBack<L: Lanes>: TensorProductKernel {
  let batch: EdgeBatch<L>
  let g: UnsafePointer<L>
  /// Coupling coefficients of products of three degrees above 0, see `CouplingTable`.
  let coefficients: UnsafePointer<L.Weight.Scalar>
  /// Gradients with respect to `sources`, in the same layout.
  let gx: UnsafeMutablePointer<L>
  /// Gradients with respect to the harmonics of the batch's edges [count][harmonicCount]; in place of the constant
  /// harmonic, which has no gradient, that with respect to the length in knot spacings.
  let gEdge: UnsafeMutablePointer<L>
  /// Gradients with respect to splines, laid out as in the batch; nil where unwanted.
  let gSplines: UnsafeMutablePointer<L.Weight>?
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
        let place = batch.sourcePlaces[e] &+ path.input &+ v
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
    let vectors = path.vectors
    let (d1, d2) = (2 &* l1 &+ 1, 2 &* l2 &+ 1)
    for v in 0..<vectors {
      let coupled = coupledGradient(path, (l1, l2, l3), v)
      for e in 0..<batch.count {
        let (weight, slope) = L.spline(batch.spline(e, path.radial &+ v), at: batch.edges[e].t)
        let place = batch.sourcePlaces[e] &+ path.input &+ v
        let (x, gx) = (batch.sources + place, gx + place)
        let (ylm, gYlm) = (batch.harmonics(e, degree: l2), gEdge + (e &* batch.harmonicCount &+ l2 &* l2))
        var harmonicGradients = Components<L>(repeating: .zero)
        for m in 0..<d2 { harmonicGradients[unchecked: m] = gYlm[m] }
        var total = L.zero
        for m1 in 0..<d1 {
          let feature = x[m1 &* vectors]
          let weighted = feature * weight
          var sum = L.zero
          for m2 in 0..<d2 {
            // To scalars, D is diagonal.
            if l3 == 0 && m1 != m2 { continue }
            let d = coupled[unchecked: l3 == 0 ? 0 : m1 &* d2 &+ m2]
            sum.add(d, times: ylm[m2])
            harmonicGradients[unchecked: m2].add(d, times: weighted)
          }
          total.add(sum, times: feature)
          if l1 > 0 || wantsScalars { gx[m1 &* vectors].add(sum, times: weight) }
        }
        for m in 0..<d2 { gYlm[m] = harmonicGradients[unchecked: m] }
        pullBackWeight(total, slope, e, path.radial &+ v)
      }
    }
  }

  /// D[m₁ m₂] of a vector of channels; from and to scalars, the gradient itself.
  @inline(__always)
  private func coupledGradient(_ path: NetworkLayout.Path, _ l: (Int, Int, Int), _ v: Int) -> Matrix<L> {
    let (d2, d3) = (2 &* l.1 &+ 1, 2 &* l.2 &+ 1)
    let g = g + (path.output &+ v)
    var coupled = Matrix<L>(repeating: .zero)
    if l.0 == 0 || l.2 == 0 {
      for k in 0..<d3 { coupled[unchecked: k] = g[k &* path.vectors] }
    } else {
      Coupling(l.0, l.1, l.2, coefficients + path.coefficients).forEach { m1, m2, m3, c in
        coupled[unchecked: m1 &* d2 &+ m2].add(g[m3 &* path.vectors], constant: c)
      }
    }
    return coupled
  }

  /// From the gradient with respect to a vector of radial weights to those with respect to length and spline.
  @inline(__always)
  private func pullBackWeight(_ g: L, _ slope: L, _ e: Int, _ vector: Int) {
    gEdge[e &* batch.harmonicCount].add(g, times: slope)
    guard let gSplines else { return }
    let target = gSplines + (batch.spline(e, vector) - batch.splines)
    let t = batch.edges[e].t
    let t2 = t * t
    target[0] = target[0] + L.weightGradient(g)
    target[1] = target[1] + L.weightGradient(g, t)
    target[2] = target[2] + L.weightGradient(g, t2)
    target[3] = target[3] + L.weightGradient(g, t * t2)
  }
}

/// The coefficients C[m₁ m₂ m₃] of three degrees above 0 that do not vanish.
private struct Coupling<Scalar> {
  let (l1, l2, l3): (Int, Int, Int)
  /// [2l₁ + 1][2l₂ + 1][2l₃ + 1]
  let coefficients: UnsafePointer<Scalar>

  @inline(__always)
  init(_ l1: Int, _ l2: Int, _ l3: Int, _ coefficients: UnsafePointer<Scalar>) {
    (self.l1, self.l2, self.l3) = (l1, l2, l3)
    self.coefficients = coefficients
  }

  /// Calls `body` with the indices of components, from 0, and the coefficient. |m₂| is the difference or the sum of
  /// |m₁| and |m₃|. An even number of the three is negative, or an odd one where the sum of degrees is odd. For literal
  /// degrees, the compiler works that out.
  @inline(__always)
  func forEach(_ body: (Int, Int, Int, Scalar) -> Void) {
    let (d1, d2, d3) = (2 &* l1 &+ 1, 2 &* l2 &+ 1, 2 &* l3 &+ 1)
    for place1 in 0..<d1 {
      for place3 in 0..<d3 {
        let (m1, m3) = (place1 &- l1, place3 &- l3)
        let isNegative = ((m1 < 0) != (m3 < 0)) != ((l1 &+ l2 &+ l3) & 1 == 1)
        let (a, b) = (m1 < 0 ? -m1 : m1, m3 < 0 ? -m3 : m3)
        let (small, large) = (a < b ? b &- a : a &- b, a &+ b)
        if small <= l2, !(isNegative && small == 0) {
          let place2 = l2 &+ (isNegative ? -small : small)
          body(place1, place2, place3, coefficients[(place1 &* d2 &+ place2) &* d3 &+ place3])
        }
        if large != small, large <= l2 {
          let place2 = l2 &+ (isNegative ? -large : large)
          body(place1, place2, place3, coefficients[(place1 &* d2 &+ place2) &* d3 &+ place3])
        }
      }
    }
  }
}
