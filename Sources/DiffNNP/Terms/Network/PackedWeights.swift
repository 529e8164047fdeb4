/// A network's weights as the evaluator reads them: scaled, padded to lanes, with their transposes, and the radial
/// networks tabulated.
///
/// A table holds, for each layer, uniform cubic splines of the distance [interval][radialVectors][4]: the coefficients
/// of 1, t, t², t³, where t runs from 0 to 1. In single precision these keep the slope's digits, which B-spline
/// coefficients would lose to their differences.
///
/// The B-spline coefficients behind them follow from values at the knots by c = f - δ²f/6 + δ⁴f/36, where δ² is the
/// second difference, so that the splines meet the values up to O(h⁶) and are local, which keeps the way back to the
/// radial network's weights short. The last three are zero, so that value, slope and curvature vanish at r_max.
final class PackedWeights<W: PlainLanes>: @unchecked Sendable where W.Scalar: BinaryFloatingPoint {
  let layout: NetworkLayout
  let intervals: Int
  let lanes: UnsafeMutablePointer<W>
  let tables: [UnsafeMutablePointer<W>]
  /// The layout's layers, with their tables.
  let layers: UnsafeMutablePointer<PackedLayer<W>>
  /// Coefficients of the layout's coupling table.
  let couplings: UnsafeMutablePointer<W.Scalar>
  /// Energies of atoms are scale·readout + shift, for each type.
  private(set) var scales: [Double] = []
  private(set) var shifts: [Double] = []

  init(_ layout: NetworkLayout, intervals: Int) {
    assert(layout.width == W.width && intervals > 0)
    self.layout = layout
    self.intervals = intervals
    lanes = .allocate(capacity: max(1, layout.weightVectors))
    lanes.initialize(repeating: .zero, count: layout.weightVectors)
    tables = layout.layers.map { layer in
      let count = RadialSpline.rows(intervals) * layer.radialVectors
      let table = UnsafeMutablePointer<W>.allocate(capacity: max(1, count))
      table.initialize(repeating: .zero, count: count)
      return table
    }
    layers = .allocate(capacity: layout.layers.count)
    for (k, layer) in layout.layers.enumerated() {
      (layers + k).initialize(to: PackedLayer(layer, table: tables[k]))
    }
    let coefficients = layout.couplings.coefficients
    couplings = .allocate(capacity: max(1, coefficients.count))
    for (k, c) in coefficients.enumerated() { (couplings + k).initialize(to: W.Scalar(c)) }
  }

  deinit {
    lanes.deallocate()
    couplings.deallocate()
    for k in layout.layers.indices { layers[k].deallocate() }
    layers.deallocate()
    tables.forEach { $0.deallocate() }
  }

  /// Knot spacing (Å).
  var spacing: Double { layout.plan.architecture.rMax / Double(intervals) }

  /// Packs parameters. `radial` receives, for the way back, what each layer's radial network computed at each knot.
  @_specialize(where W == SIMD8<Float>)
  @_specialize(where W == SIMD16<Float>)
  @_specialize(where W == SIMD4<Double>)
  func pack(_ parameters: [Double], radial: inout [RadialKnots]) {
    parameters.withUnsafeBufferPointer { theta in
      for matrix in layout.matrices { pack(matrix, theta.baseAddress!) }
      let v = foldedReadout(theta.baseAddress!)
      for c in v.indices { W.store(W.Scalar(v[c]), lanes + layout.readout, c) }
      let (plan, scaleBy) = (layout.plan, theta[layout.plan.scaleBy])
      scales = plan.architecture.typeNames.indices.map { scaleBy * theta[plan.scales + $0] }
      shifts = plan.architecture.typeNames.indices.map { scaleBy * theta[plan.shifts + $0] }
      radial = layout.layers.indices.map { tabulate($0, theta.baseAddress!) }
    }
  }

  private func pack(_ matrix: NetworkLayout.Matrix, _ theta: UnsafePointer<Double>) {
    let m = matrix.source
    for u in 0..<m.rows {
      for w in 0..<m.columns {
        let value = W.Scalar(m.scale * theta[m.offset + u * m.rowStride + w])
        W.store(value, lanes + matrix.offset + u * matrix.columnVectors, w)
        W.store(value, lanes + matrix.transposed + w * matrix.rowVectors, u)
      }
    }
  }

  /// The two linear layers of the readout as one vector.
  private func foldedReadout(_ theta: UnsafePointer<Double>) -> [Double] {
    let (hidden, out) = (layout.plan.readoutHidden, layout.plan.readout)
    return (0..<hidden.rows).map { c in
      (0..<hidden.columns).reduce(0) {
        $0 + hidden.scale * theta[hidden.offset + c * hidden.rowStride + $1] * out.scale * theta[out.offset + $1]
      }
    }
  }

  // MARK: Radial tables

  /// The radial network at the knots k = -3…intervals - 1, as `RadialNetwork.pullBack` wants it. Beyond, it is zero.
  struct RadialKnots {
    var network: RadialNetwork<Double>
    var sums: [[[Double]]]
  }

  /// Where a layer's table has row k of `RadialSpline` for a channel of a path.
  @inline(__always)
  func tablePlace(
    row k: Int, channel c: Int, of path: NetworkLayout.Path, _ radialVectors: Int
  ) -> (vector: Int, lane: Int) {
    (4 * (k / 4 * radialVectors + path.radial + c / W.width) + k % 4, c % W.width)
  }

  private func tabulate(_ layer: Int, _ theta: UnsafePointer<Double>) -> RadialKnots {
    let network = RadialNetwork<Double>(layout.plan, layer: layer, parameters: theta)
    var knots = RadialKnots(network: network, sums: [])
    let columns = network.columns
    // Values at knots -3…intervals + 3.
    var f = [Double](repeating: 0, count: (intervals + 7) * columns)
    for k in -3..<intervals {
      var sums: [[Double]] = []
      let values = network.evaluate(Double(k) * spacing, keeping: &sums)
      knots.sums.append(sums)
      f.replaceSubrange((k + 3) * columns..<(k + 4) * columns, with: values)
    }
    let vectors = layout.layers[layer].radialVectors
    for path in layout.layers[layer].paths {
      for c in 0..<path.channels {
        let values = (0..<intervals + 7).map { path.factor * f[$0 * columns + path.radialColumn + c] }
        let rows = RadialSpline.rows(fromValues: values, intervals: intervals)
        for (k, value) in rows.enumerated() {
          let place = tablePlace(row: k, channel: c, of: path, vectors)
          W.store(W.Scalar(value), tables[layer] + place.vector, place.lane)
        }
      }
    }
    return knots
  }

  // MARK: The way back

  /// The gradient with respect to all parameters, from that with respect to the packed weights and tables.
  @_specialize(where W == SIMD8<Float>)
  @_specialize(where W == SIMD4<Double>)
  func unpack(_ gradient: WeightGradient<W>, parameters: [Double], radial: [RadialKnots]) -> [Double] {
    var result = [Double](repeating: 0, count: parameters.count)
    parameters.withUnsafeBufferPointer { theta in
      result.withUnsafeMutableBufferPointer { result in
        for matrix in layout.matrices {
          let m = matrix.source
          for u in 0..<m.rows {
            for w in 0..<m.columns {
              result[m.offset + u * m.rowStride + w] +=
                m.scale * Double(W.load(gradient.lanes + matrix.offset + u * matrix.columnVectors, w))
            }
          }
        }
        unpackReadout(gradient, theta.baseAddress!, into: result.baseAddress!)
        let plan = layout.plan
        for t in gradient.scales.indices { result[plan.scales + t] += theta[plan.scaleBy] * gradient.scales[t] }
        for layer in layout.layers.indices {
          unpackTable(layer, gradient, radial[layer], into: result.baseAddress!)
        }
      }
    }
    return result
  }

  private func unpackReadout(
    _ gradient: WeightGradient<W>, _ theta: UnsafePointer<Double>, into result: UnsafeMutablePointer<Double>
  ) {
    let (hidden, out) = (layout.plan.readoutHidden, layout.plan.readout)
    for c in 0..<hidden.rows {
      let g = hidden.scale * out.scale * Double(W.load(gradient.lanes + layout.readout, c))
      for k in 0..<hidden.columns {
        let at = hidden.offset + c * hidden.rowStride + k
        result[at] += g * theta[out.offset + k]
        result[out.offset + k] += g * theta[at]
      }
    }
  }

  private func unpackTable(
    _ layer: Int, _ gradient: WeightGradient<W>, _ knots: RadialKnots, into result: UnsafeMutablePointer<Double>
  ) {
    let columns = knots.network.columns
    let vectors = layout.layers[layer].radialVectors
    var f = [Double](repeating: 0, count: (intervals + 7) * columns)
    for path in layout.layers[layer].paths {
      for c in 0..<path.channels {
        let rows = (0..<RadialSpline.rows(intervals)).map { k in
          let place = tablePlace(row: k, channel: c, of: path, vectors)
          return path.factor * Double(W.load(gradient.tables[layer] + place.vector, place.lane))
        }
        let values = RadialSpline.pullBack(rows, intervals: intervals)
        for (k, value) in values.enumerated() { f[k * columns + path.radialColumn + c] = value }
      }
    }
    f.withUnsafeBufferPointer { f in
      for k in -3..<intervals {
        let g = f.baseAddress! + (k + 3) * columns
        guard (0..<columns).contains(where: { g[$0] != 0 }) else { continue }
        knots.network.pullBack(
          Double(k) * spacing, knots.sums[k + 3], g, plan: layout.plan, layer: layer, into: result)
      }
    }
  }
}

/// Gradient with respect to packed weights; the transposed halves of matrices stay unused.
final class WeightGradient<W: PlainLanes>: @unchecked Sendable {
  let lanes: UnsafeMutablePointer<W>
  let tables: [UnsafeMutablePointer<W>]
  var scales: [Double]
  private let laneCount: Int
  private let tableCounts: [Int]

  init(_ layout: NetworkLayout, intervals: Int) {
    laneCount = layout.weightVectors
    tableCounts = layout.layers.map { RadialSpline.rows(intervals) * $0.radialVectors }
    lanes = .allocate(capacity: max(1, laneCount))
    tables = tableCounts.map { .allocate(capacity: max(1, $0)) }
    scales = Array(repeating: 0, count: layout.plan.architecture.typeNames.count)
    reset()
  }

  deinit {
    lanes.deallocate()
    tables.forEach { $0.deallocate() }
  }

  @_specialize(where W == SIMD8<Float>)
  @_specialize(where W == SIMD4<Double>)
  func reset() {
    lanes.initialize(repeating: .zero, count: laneCount)
    for (table, count) in zip(tables, tableCounts) { table.initialize(repeating: .zero, count: count) }
    for t in scales.indices { scales[t] = 0 }
  }

  @_specialize(where W == SIMD8<Float>)
  @_specialize(where W == SIMD4<Double>)
  func add(_ other: WeightGradient<W>) {
    assert(laneCount == other.laneCount && tableCounts == other.tableCounts, "these are gradients of two layouts")
    for k in 0..<laneCount { lanes[k] += other.lanes[k] }
    for (layer, count) in tableCounts.enumerated() {
      let (a, b) = (tables[layer], other.tables[layer])
      for k in 0..<count { a[k] += b[k] }
    }
    for t in scales.indices { scales[t] += other.scales[t] }
  }
}
