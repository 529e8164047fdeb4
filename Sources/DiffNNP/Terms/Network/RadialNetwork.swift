#if canImport(Glibc)
  import Glibc
#endif

/// The radial network of one layer: Bessel functions of the distance under a polynomial cutoff, through a perceptron
/// with SiLU, to one weight for each channel of each tensor product. As in nequip's InteractionBlock and e3nn's
/// FullyConnectedNet.
struct RadialNetwork<S: Real> {
  let rMax: Double
  let cutoffExponent: Double
  let bessel: [S]
  /// Scaled weights of each layer, [rows][columns].
  let weights: [[S]]
  let shapes: [(rows: Int, columns: Int)]

  init(_ plan: NetworkPlan, layer: Int, parameters: UnsafePointer<Double>) {
    rMax = plan.architecture.rMax
    cutoffExponent = plan.architecture.cutoffExponent
    bessel = (0..<plan.architecture.numBasis).map { S(parameters[plan.bessel + $0]) }
    let matrices = plan.layers[layer].radial
    shapes = matrices.map { ($0.rows, $0.columns) }
    weights = matrices.map { matrix in
      (0..<matrix.rows * matrix.columns).map { S(matrix.scale * parameters[matrix.offset + $0]) }
    }
  }

  var columns: Int { shapes.last!.columns }

  /// The Bessel functions 2/r_max · sin(w r/r_max)/r under the cutoff of DimeNet (arXiv:2003.03123, equation 8).
  func embedding(_ r: S) -> [S] {
    let x = r / S(rMax)
    let envelope = S(2 / rMax) * cutoff(x)
    return bessel.map { envelope * Self.sinc(x, $0) / S(rMax) }
  }

  /// sin(w x)/x, also at x = 0.
  private static func sinc(_ x: S, _ w: S) -> S {
    let y = w * x
    return Swift.abs(y.primal) < 1e-4 ? w * (S(1) - y * y / S(6)) : S.sin(y) / x
  }

  private func cutoff(_ x: S) -> S {
    let p = cutoffExponent
    var power = S(1)
    if p == p.rounded() {
      for _ in 0..<Int(p) { power = power * x }
    } else {
      power = x.primal > 0 ? S.exp(S(p) * S.log(x)) : S(0)
    }
    return S(1) - power * (S((p + 1) * (p + 2) / 2) - x * (S(p * (p + 2)) - x * S(p * (p + 1) / 2)))
  }

  /// The weights at distance r (Å).
  func evaluate(_ r: S) -> [S] {
    var sums: [[S]] = []
    return evaluate(r, keeping: &sums)
  }

  /// Computes the weights at distance r (Å); `sums` receives the embedding, then the sums that enter each activation.
  func evaluate(_ r: S, keeping sums: inout [[S]]) -> [S] {
    var x = embedding(r)
    sums = [x]
    for (k, shape) in shapes.enumerated() {
      var y = [S](repeating: S(0), count: shape.columns)
      y.withUnsafeMutableBufferPointer { y in
        x.withUnsafeBufferPointer { multiply(k, $0.baseAddress!, into: y.baseAddress!) }
      }
      if k + 1 < shapes.count {
        sums.append(y)
        x = y.map { Activation.silu.value($0) }
      } else {
        x = y
      }
    }
    return x
  }

  /// Computes the weights at distance r (Å) without allocating.
  /// - Parameters:
  ///   - values: the weights [columns].
  ///   - scratch: [scratchCount]
  func evaluate(_ r: S, into values: UnsafeMutablePointer<S>, scratch: UnsafeMutablePointer<S>) {
    var (x, y) = (scratch, scratch + scratchCount / 2)
    let position = r / S(rMax)
    let envelope = S(2 / (rMax * rMax)) * cutoff(position)
    for (n, frequency) in bessel.enumerated() { x[n] = envelope * Self.sinc(position, frequency) }
    for (k, shape) in shapes.enumerated() {
      let isLast = k + 1 == shapes.count
      let sums = isLast ? values : y
      sums.update(repeating: S(0), count: shape.columns)
      multiply(k, x, into: sums)
      guard !isLast else { return }
      for c in 0..<shape.columns { sums[c] = Activation.silu.value(sums[c]) }
      (x, y) = (y, x)
    }
  }

  var scratchCount: Int { 2 * shapes.reduce(0) { max($0, $1.rows) } }

  /// y += x W of a layer.
  @inline(__always)
  private func multiply(_ k: Int, _ x: UnsafePointer<S>, into y: UnsafeMutablePointer<S>) {
    let (rows, columns) = shapes[k]
    weights[k].withUnsafeBufferPointer { w in
      for u in 0..<rows {
        for c in 0..<columns { y[c] = y[c] + x[u] * w[u * columns + c] }
      }
    }
  }
}

extension RadialNetwork where S == Double {
  /// Adds to `gradient` (as laid out in all parameters) what the gradient `g` with respect to the weights at r gives.
  func pullBack(
    _ r: Double, _ sums: [[Double]], _ g: UnsafePointer<Double>, plan: NetworkPlan, layer: Int,
    into gradient: UnsafeMutablePointer<Double>
  ) {
    let matrices = plan.layers[layer].radial
    var g = Array(UnsafeBufferPointer(start: g, count: columns))
    for k in stride(from: shapes.count - 1, through: 0, by: -1) {
      let (rows, columns) = shapes[k]
      let input = k == 0 ? sums[0] : sums[k].map { Activation.silu.value($0) }
      var back = [Double](repeating: 0, count: rows)
      let target = gradient + matrices[k].offset
      let scale = matrices[k].scale
      weights[k].withUnsafeBufferPointer { w in
        g.withUnsafeBufferPointer { g in
          for u in 0..<rows {
            let xu = scale * input[u]
            let row = w.baseAddress! + u * columns
            let out = target + u * columns
            var sum = SIMD8<Double>.zero
            var c = 0
            while c + 8 <= columns {
              let gc = UnsafeRawPointer(g.baseAddress! + c).loadUnaligned(as: SIMD8<Double>.self)
              sum.multiplyAdd(gc, UnsafeRawPointer(row + c).loadUnaligned(as: SIMD8<Double>.self))
              let old = UnsafeRawPointer(out + c).loadUnaligned(as: SIMD8<Double>.self)
              UnsafeMutableRawPointer(out + c).storeBytes(of: old + xu * gc, as: SIMD8<Double>.self)
              c += 8
            }
            var rest = sum.sum()
            while c < columns {
              rest += g[c] * row[c]
              out[c] += xu * g[c]
              c += 1
            }
            back[u] = rest
          }
        }
      }
      if k > 0 { for u in 0..<rows { back[u] *= Activation.silu.slope(sums[k][u]) } }
      g = back
    }
    // The Bessel functions' frequencies: d/dw sin(w x)/x = cos(w x).
    let x = r / rMax
    let envelope = 2 / (rMax * rMax) * cutoff(x)
    for n in bessel.indices { gradient[plan.bessel + n] += g[n] * envelope * cos(bessel[n] * x) }
  }
}
