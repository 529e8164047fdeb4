/// Energy and derivatives of a network, layer by layer forward and back, over plain or dual lanes: one implementation
/// for dynamics (Float), checks (Double) and training (dual numbers).
///
/// Forward over reverse: with dual edge vectors, whose tangents are a direction w of all positions, the gradient with
/// respect to weights that comes out is d/dε of ∂E/∂θ at x + ε w, which is the gradient of -w·F(θ). No second
/// derivative is ever written down.
final class NetworkEvaluator<L: Lanes> where L.Weight: PlainLanes, L.Weight.Scalar: BinaryFloatingPoint {
  typealias S = L.Scalar

  /// Results, each added to; nil where unwanted.
  struct Outputs {
    /// Energies of the centres, times `scale`.
    var energies: UnsafeMutablePointer<Double>?
    /// dE/d(edge vector), times `scale`.
    var gradients: UnsafeMutablePointer<SIMD3<Double>>?
    /// The tangents of `gradients`: with dual numbers, the Hessian times the direction.
    var gradientTangents: UnsafeMutablePointer<SIMD3<Double>>?
    var weights: WeightGradient<L.Weight>?
    var scale = 1.0
  }

  var clock: StageClock?
  private let layout: NetworkLayout
  private let weights: PackedWeights<L.Weight>
  /// Radial networks evaluated at each edge instead of the tables, where exact numbers are wanted.
  private let exactRadial: [RadialNetwork<Dual<Double>>]?
  private let lMax: Int
  private let harmonicCount: Int

  // What lasts from the way there to the way back.
  private var geometry = Buffer<EdgeGeometry<S>>()
  /// Those of centre i are firstEdges[i]..<firstEdges[i + 1].
  private var firstEdges = Buffer<Int32>()
  /// Features as messages carry them, of each layer.
  private var sources: [Buffer<L>]
  /// What enters the activations of each layer; on the way back its gradient takes the same place.
  private var convolutions: [Buffer<L>]
  private var sourceGradients = Buffer<L>()
  // Of one block of atoms, or of all where weights want their gradients.
  private var features: [Buffer<L>]
  private var messages: [Buffer<L>]
  private var featureGradients = Buffer<L>()
  private var messageGradients = Buffer<L>()
  // Of one batch of edges.
  private var harmonics = Buffer<S>()
  private var edgeGradients = Buffer<L>()
  private var exactSplines = Buffer<L.Weight>()

  init(_ weights: PackedWeights<L.Weight>, exactRadial: [RadialNetwork<Dual<Double>>]? = nil) {
    layout = weights.layout
    self.weights = weights
    self.exactRadial = exactRadial
    lMax = layout.plan.architecture.lMax
    harmonicCount = SphericalHarmonics.count(lMax)
    let layers = layout.layers.count
    sources = Array(repeating: Buffer(), count: layers)
    convolutions = Array(repeating: Buffer(), count: layers)
    features = Array(repeating: Buffer(), count: layers + 1)
    messages = Array(repeating: Buffer(), count: layers)
  }

  // MARK: The whole network

  /// - Parameters:
  ///   - edges: without `exchange`, all atoms are centres: layers after the first need the features of every neighbour.
  ///   - exchange: brings the features of atoms that are centres in other domains.
  ///   - directions: tangents of the edge vectors (Å), for dual lanes.
  ///
  /// The specialisations carry over to all that is called from here.
  @_specialize(where L == SIMD8<Float>)
  @_specialize(where L == SIMD4<Double>)
  @_specialize(where L == DualLanes<SIMD8<Float>>)
  @_specialize(where L == DualLanes<SIMD4<Double>>)
  func evaluate(
    _ edges: EdgeList, exchange: AtomExchange? = nil, directions: UnsafePointer<SIMD3<Double>>? = nil,
    into outputs: Outputs
  ) {
    let block = blockSize(edges, outputs)
    reserve(edges, block: block)
    clock?.enter(.geometry)
    prepareGeometry(edges, directions)
    clock?.enter(.features)
    forEachBlock(of: block, among: edges.atomCount) { embed(edges, $0) }
    for layer in layout.layers.indices {
      if let exchange, layer > 0 { copySourcesToGhosts(layer, edges, exchange) }
      forEachBlock(of: block, among: edges.centreCount) { centres in
        clock?.enter(.messages)
        sendMessages(layer, edges, to: centres)
        clock?.enter(.features)
        convolve(layer, edges, centres)
        activate(layer, edges, centres)
        if layer + 1 < layout.layers.count {
          mixInputs(layer + 1, edges, centres)
        } else {
          readOut(edges, centres, outputs)
        }
      }
    }
    guard outputs.gradients != nil || outputs.gradientTangents != nil || outputs.weights != nil else { return }
    for layer in layout.layers.indices.reversed() {
      if wantsFeatureGradients(layer, outputs) { clearSourceGradients(layer, edges) }
      forEachBlock(of: block, among: edges.centreCount) { centres in
        clock?.enter(.featuresBackward)
        convolveBackward(layer, edges, centres)
        clock?.enter(.messagesBackward)
        sendMessagesBackward(layer, edges, to: centres, outputs)
      }
      clock?.enter(.featuresBackward)
      if let exchange, layer > 0 { addSourceGradientsOfGhosts(layer, edges, exchange) }
      guard wantsFeatureGradients(layer, outputs) else { continue }
      forEachBlock(of: block, among: knownCount(layer, edges)) { mixInputsBackward(layer, edges, $0, outputs) }
    }
  }

  /// How many atoms go through a layer together: few, so that what need not last stays in cache; or all, where the
  /// gradient of weights needs it once more.
  private func blockSize(_ edges: EdgeList, _ outputs: Outputs) -> Int {
    outputs.weights == nil ? 16 : max(1, edges.atomCount)
  }

  @inline(__always)
  private func forEachBlock(of size: Int, among count: Int, _ body: (Range<Int>) -> Void) {
    var start = 0
    while start < count {
      let end = min(start + size, count)
      body(start..<end)
      start = end
    }
  }

  private func reserve(_ edges: EdgeList, block: Int) {
    let layers = layout.layers
    for (k, layer) in layers.enumerated() {
      _ = sources[k].reserve(edges.atomCount * layer.featureVectors)
      _ = convolutions[k].reserve(edges.centreCount * layer.convolutionVectors)
      _ = features[k].reserve(block * layer.featureVectors)
      _ = messages[k].reserve(block * layer.messageVectors)
    }
    _ = features[layers.count].reserve(block * layout.readoutVectors)
    let widest = max(layers.lazy.map(\.featureVectors).max()!, layout.readoutVectors)
    _ = sourceGradients.reserve(edges.atomCount * widest)
    _ = featureGradients.reserve(block * widest)
    _ = messageGradients.reserve(block * layers.lazy.map(\.messageVectors).max()!)
    let batch = EdgeBatch<L>.capacity
    _ = harmonics.reserve(batch * harmonicCount)
    _ = edgeGradients.reserve(batch * harmonicCount + 3)
    if exactRadial != nil { _ = exactSplines.reserve(4 * batch * layers.lazy.map(\.radialVectors).max()!) }
  }

  // MARK: Atoms

  /// Features of the first layer, which depend on types alone.
  private func embed(_ edges: EdgeList, _ atoms: Range<Int>) {
    let n = layout.layers[0].featureVectors
    let x = features[0].reserve(atoms.count * n)
    for i in atoms {
      let row = weights.lanes + layout.embedding.offset + Int(edges.types[i]) * layout.embedding.columnVectors
      let target = x + (i - atoms.lowerBound) * n
      for v in 0..<n { target[v] = L(weight: row[v]) }
    }
    mixInputs(0, edges, atoms)
  }

  /// Atoms whose features are known here: in the first layer all, since types are enough; later the centres.
  private func knownCount(_ layer: Int, _ edges: EdgeList) -> Int { layer == 0 ? edges.atomCount : edges.centreCount }

  /// Features of the first layer depend on types alone: only the embedding's weights need their gradient.
  private func wantsFeatureGradients(_ layer: Int, _ outputs: Outputs) -> Bool { layer > 0 || outputs.weights != nil }

  /// From a block's features to what messages carry of them, linear_1, and to the self-connection, with which the
  /// convolution begins.
  private func mixInputs(_ layer: Int, _ edges: EdgeList, _ atoms: Range<Int>) {
    let shape = layout.layers[layer]
    let (n, c) = (shape.featureVectors, shape.convolutionVectors)
    let x = features[layer].reserve(atoms.count * n)
    let h = sources[layer].reserve(edges.atomCount * n)
    let z = convolutions[layer].reserve(edges.centreCount * c)
    (h + atoms.lowerBound * n).update(repeating: .zero, count: atoms.count * n)
    apply(shape.linear1, x, every: n, to: h + atoms.lowerBound * n, every: n, count: atoms.count)
    let centres = atoms.clamped(to: 0..<edges.centreCount)
    (z + centres.lowerBound * c).update(repeating: .zero, count: centres.count * c)
    forEachRun(ofTypesAmong: centres, edges) { run, type in
      let features = x + (run.lowerBound - atoms.lowerBound) * n
      apply(
        shape.selfConnections[type], features, every: n, to: z + run.lowerBound * c, every: c, count: run.count)
    }
  }

  /// From the gradients of a layer's convolutions and of its sources to those of the features, and on to those of the
  /// convolutions before it, or of the embedding.
  private func mixInputsBackward(_ layer: Int, _ edges: EdgeList, _ atoms: Range<Int>, _ outputs: Outputs) {
    let shape = layout.layers[layer]
    let (n, c) = (shape.featureVectors, shape.convolutionVectors)
    let gh = sourceGradients.reserve(edges.atomCount * n)
    let gz = convolutions[layer].reserve(edges.centreCount * c)
    let gx = featureGradients.reserve(atoms.count * n)
    gx.update(repeating: .zero, count: atoms.count * n)
    applyTransposed(shape.linear1, gh + atoms.lowerBound * n, every: n, to: gx, every: n, count: atoms.count)
    forEachRun(ofTypesAmong: atoms.clamped(to: 0..<edges.centreCount), edges) { run, type in
      let target = gx + (run.lowerBound - atoms.lowerBound) * n
      applyTransposed(
        shape.selfConnections[type], gz + run.lowerBound * c, every: c, to: target, every: n, count: run.count)
    }
    if let gradient = outputs.weights { addGradients(layer, edges, atoms, to: gradient) }
    for i in atoms {
      let row = gx + (i - atoms.lowerBound) * n
      if layer > 0 {
        activateBackward(layer - 1, edges, i, row)
      } else if let gradient = outputs.weights {
        embedBackward(Int(edges.types[i]), row, gradient)
      }
    }
  }

  /// Gradients of the linear maps of a layer; all atoms are in one block.
  private func addGradients(
    _ layer: Int, _ edges: EdgeList, _ atoms: Range<Int>, to gradient: WeightGradient<L.Weight>
  ) {
    let shape = layout.layers[layer]
    let (n, m, c) = (shape.featureVectors, shape.messageVectors, shape.convolutionVectors)
    let (x, a) = (features[layer].reserve(atoms.count * n), messages[layer].reserve(atoms.count * m))
    let gh = sourceGradients.reserve(edges.atomCount * n)
    let gz = convolutions[layer].reserve(edges.centreCount * c)
    for i in atoms {
      addGradient(shape.linear1, x + i * n, gh + i * n, to: gradient)
      guard i < edges.centreCount else { continue }
      addGradient(shape.selfConnections[Int(edges.types[i])], x + i * n, gz + i * c, to: gradient)
      addGradient(shape.linear2, a + i * m, gz + i * c, to: gradient)
    }
  }

  /// Calls `body` with consecutive atoms of one type, and the type.
  @inline(__always)
  private func forEachRun(ofTypesAmong atoms: Range<Int>, _ edges: EdgeList, _ body: (Range<Int>, Int) -> Void) {
    var start = atoms.lowerBound
    while start < atoms.upperBound {
      let type = edges.types[start]
      var end = start + 1
      while end < atoms.upperBound, edges.types[end] == type { end += 1 }
      body(start..<end, Int(type))
      start = end
    }
  }

  private func embedBackward(_ type: Int, _ gx: UnsafePointer<L>, _ gradient: WeightGradient<L.Weight>) {
    let row = gradient.lanes + layout.embedding.offset + type * layout.embedding.columnVectors
    for v in 0..<layout.layers[0].featureVectors { row[v] += L.weightGradient(gx[v]) }
  }

  /// linear_2 of the messages, added to the self-connection.
  private func convolve(_ layer: Int, _ edges: EdgeList, _ centres: Range<Int>) {
    let shape = layout.layers[layer]
    let (m, c) = (shape.messageVectors, shape.convolutionVectors)
    let a = messages[layer].reserve(centres.count * m)
    let z = convolutions[layer].reserve(edges.centreCount * c)
    apply(shape.linear2, a, every: m, to: z + centres.lowerBound * c, every: c, count: centres.count)
  }

  /// Gradients of the messages.
  private func convolveBackward(_ layer: Int, _ edges: EdgeList, _ centres: Range<Int>) {
    let shape = layout.layers[layer]
    let (m, c) = (shape.messageVectors, shape.convolutionVectors)
    let gz = convolutions[layer].reserve(edges.centreCount * c)
    let g = messageGradients.reserve(centres.count * m)
    g.update(repeating: .zero, count: centres.count * m)
    applyTransposed(shape.linear2, gz + centres.lowerBound * c, every: c, to: g, every: m, count: centres.count)
  }

  private func activate(_ layer: Int, _ edges: EdgeList, _ centres: Range<Int>) {
    let shape = layout.layers[layer]
    let (c, n) = (shape.convolutionVectors, shape.outputVectors)
    let z = convolutions[layer].reserve(edges.centreCount * c)
    let x = features[layer + 1].reserve(centres.count * n)
    for i in centres {
      for gate in shape.gates {
        let source = z + i * c + gate.input
        let target = x + (i - centres.lowerBound) * n + gate.output
        for v in 0..<gate.vectors {
          let f = gate.activation.value(gate.gate.map { z[i * c + $0 + v] } ?? source[v])
          if gate.gate == nil {
            target[v] = f
          } else {
            for d in 0..<gate.dimension { target[d * gate.vectors + v] = source[d * gate.vectors + v] * f }
          }
        }
      }
    }
  }

  /// Puts the gradient of an atom's convolution in its place.
  private func activateBackward(_ layer: Int, _ edges: EdgeList, _ i: Int, _ gx: UnsafePointer<L>) {
    let shape = layout.layers[layer]
    let c = shape.convolutionVectors
    let row = convolutions[layer].reserve(edges.centreCount * c) + i * c
    for gate in shape.gates {
      let source = row + gate.input
      let g = gx + gate.output
      for v in 0..<gate.vectors {
        guard let offset = gate.gate else {
          source[v] = g[v] * gate.activation.slope(source[v])
          continue
        }
        let x = row[offset + v]
        let f = gate.activation.value(x)
        var sum = L.zero
        for d in 0..<gate.dimension {
          let k = d * gate.vectors + v
          sum.add(g[k], times: source[k])
          source[k] = g[k] * f
        }
        row[offset + v] = sum * gate.activation.slope(x)
      }
    }
  }

  /// Energies of a block, and the gradients of its last convolutions.
  private func readOut(_ edges: EdgeList, _ centres: Range<Int>, _ outputs: Outputs) {
    let n = layout.readoutVectors
    let features = features[layout.layers.count].reserve(centres.count * n)
    let gx = featureGradients.reserve(n)
    let v = weights.lanes + layout.readout
    for i in centres {
      let x = features + (i - centres.lowerBound) * n
      let type = Int(edges.types[i])
      let scale = outputs.scale * weights.scales[type]
      let laneScale = L.Weight.Scalar(scale)
      var sum = L.zero
      for k in 0..<n {
        let weight = L(weight: v[k])
        sum.add(weight, times: x[k])
        var g = L.zero
        g.add(weight, constant: laneScale)
        gx[k] = g
      }
      let energy = sum.sum()
      outputs.energies?[i] += scale * energy.primal + outputs.scale * weights.shifts[type]
      if let gradient = outputs.weights {
        gradient.scales[type] += outputs.scale * energy.derivative
        for k in 0..<n {
          var scaled = L.zero
          scaled.add(x[k], constant: laneScale)
          (gradient.lanes + layout.readout)[k] += L.weightGradient(scaled)
        }
      }
      activateBackward(layout.layers.count - 1, edges, i, gx)
    }
  }

  // MARK: Several domains

  /// Brings the sources of ghosts, which are made where these are centres.
  private func copySourcesToGhosts(_ layer: Int, _ edges: EdgeList, _ exchange: AtomExchange) {
    let shape = layout.layers[layer]
    let n = shape.featureVectors
    let h = sources[layer].reserve(edges.atomCount * n)
    exchange.forward(
      edges, width: shape.channels, pack: { pack(shape, h + $0 * n, into: $1) },
      unpack: { unpack(shape, $1, into: h + $0 * n) })
  }

  /// Takes the gradients of ghosts' sources back to where these are centres.
  private func addSourceGradientsOfGhosts(_ layer: Int, _ edges: EdgeList, _ exchange: AtomExchange) {
    let shape = layout.layers[layer]
    let n = shape.featureVectors
    let gh = sourceGradients.reserve(edges.atomCount * n)
    exchange.reverse(
      edges, width: shape.channels, pack: { pack(shape, gh + $0 * n, into: $1) },
      unpack: { unpack(shape, $1, into: gh + $0 * n) })
  }

  /// Writes the channels of an atom's sources one after the other, without the padding.
  private func pack(_ shape: NetworkLayout.Layer, _ h: UnsafePointer<L>, into values: UnsafeMutablePointer<Double>) {
    var k = 0
    for map in shape.linear1 {
      for d in 0..<map.dimension {
        for u in 0..<map.matrix.source.columns {
          values[k] = L.load(h + map.output + d * map.matrix.columnVectors, u).primal
          k += 1
        }
      }
    }
  }

  private func unpack(_ shape: NetworkLayout.Layer, _ values: UnsafePointer<Double>, into h: UnsafeMutablePointer<L>) {
    h.update(repeating: .zero, count: shape.featureVectors)
    var k = 0
    for map in shape.linear1 {
      for d in 0..<map.dimension {
        for u in 0..<map.matrix.source.columns {
          L.store(S(values[k]), h + map.output + d * map.matrix.columnVectors, u)
          k += 1
        }
      }
    }
  }

  // MARK: Linear maps of channels

  // Of consecutive atoms, with the vectors from one to the next. Maps are reached by pointer: copies of them would cost more
  // than small ones do.

  @inline(__always)
  private func apply(
    _ maps: [NetworkLayout.Linear], _ x: UnsafePointer<L>, every xStride: Int, to y: UnsafeMutablePointer<L>,
    every yStride: Int, count: Int
  ) {
    maps.withUnsafeBufferPointer { maps in
      for k in maps.indices {
        let map = maps.baseAddress! + k
        ChannelMatrix<L>(
          weights: weights.lanes + map.pointee.matrix.offset, rows: map.pointee.matrix.source.rows,
          rowVectors: map.pointee.matrix.rowVectors, columnVectors: map.pointee.matrix.columnVectors
        ).apply(
          map.pointee.dimension, x + map.pointee.input, every: xStride, addingTo: y + map.pointee.output,
          every: yStride, count: count)
      }
    }
  }

  @inline(__always)
  private func applyTransposed(
    _ maps: [NetworkLayout.Linear], _ gy: UnsafePointer<L>, every yStride: Int, to gx: UnsafeMutablePointer<L>,
    every xStride: Int, count: Int
  ) {
    maps.withUnsafeBufferPointer { maps in
      for k in maps.indices {
        let map = maps.baseAddress! + k
        ChannelMatrix<L>(
          weights: weights.lanes + map.pointee.matrix.transposed, rows: map.pointee.matrix.source.columns,
          rowVectors: map.pointee.matrix.columnVectors, columnVectors: map.pointee.matrix.rowVectors
        ).apply(
          map.pointee.dimension, gy + map.pointee.output, every: yStride, addingTo: gx + map.pointee.input,
          every: xStride, count: count)
      }
    }
  }

  @inline(__always)
  private func addGradient(
    _ maps: [NetworkLayout.Linear], _ x: UnsafePointer<L>, _ gy: UnsafePointer<L>, to gradient: WeightGradient<L.Weight>
  ) {
    for map in maps {
      let (rows, rv, cv) = (map.matrix.source.rows, map.matrix.rowVectors, map.matrix.columnVectors)
      let g = gradient.lanes + map.matrix.offset
      let (input, output) = (x + map.input, gy + map.output)
      for u in 0..<rows {
        for v in 0..<cv {
          var sum = g[u &* cv &+ v]
          for d in 0..<map.dimension {
            sum += L.weightGradient(output[d &* cv &+ v], L.load(input + d &* rv, u))
          }
          g[u &* cv &+ v] = sum
        }
      }
    }
  }

  // MARK: Edges

  private func prepareGeometry(_ edges: EdgeList, _ directions: UnsafePointer<SIMD3<Double>>?) {
    let rMax = layout.plan.architecture.rMax
    let geometry = geometry.reserve(edges.count(within: rMax))
    let firstEdges = firstEdges.reserve(edges.centreCount + 1)
    var count = 0
    for i in 0..<edges.centreCount {
      firstEdges[i] = Int32(count)
      // The list may have more edges, where other terms of the potential reach farther.
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.lengths[e] < rMax {
        geometry[count] = edgeGeometry(edges, e, directions)
        if exactRadial != nil {
          // At the beginning of its own spline.
          geometry[count].knot = Int32((count - Int(firstEdges[i])) % EdgeBatch<L>.capacity)
          geometry[count].t = S(0)
        }
        count += 1
      }
    }
    firstEdges[edges.centreCount] = Int32(count)
  }

  @inline(__always)
  private func edgeGeometry(
    _ edges: EdgeList, _ e: Int, _ directions: UnsafePointer<SIMD3<Double>>?
  ) -> EdgeGeometry<S> {
    let length = edges.lengths[e]
    let inverse = 1 / length
    let u = edges.vectors[e] * inverse
    let knotsPerLength = 1 / weights.spacing
    // The place between knots loses digits in single precision, so it is found in double.
    let place = length * knotsPerLength
    let knot = min(place.rounded(.down), Double(weights.intervals - 1))
    var (tangent, along) = (SIMD3<Double>.zero, 0.0)
    if let directions {
      along = dot(u, directions[e])
      tangent = (directions[e] - along * u) * inverse
    }
    return EdgeGeometry(
      edge: Int32(e), neighbour: edges.neighbours[e],
      x: S(u.x, tangent: tangent.x), y: S(u.y, tangent: tangent.y), z: S(u.z, tangent: tangent.z),
      inverseLength: S(inverse, tangent: -along * inverse * inverse), knot: Int32(knot),
      t: S(place - knot, tangent: along * knotsPerLength))
  }

  /// Calls `body` with all edges of a centre, batch by batch.
  @inline(__always)
  private func forEachBatch(_ layer: Int, _ edges: EdgeList, _ i: Int, _ body: (EdgeBatch<L>) -> Void) {
    let shape = layout.layers[layer]
    let firstEdges = firstEdges.reserve(edges.centreCount + 1)
    let geometry = UnsafePointer(geometry.reserve(0))
    var first = Int(firstEdges[i])
    let end = Int(firstEdges[i + 1])
    while first < end {
      let count = min(EdgeBatch<L>.capacity, end - first)
      let batch = EdgeBatch<L>(
        edges: geometry + first, count: count, harmonics: harmonics.reserve(0), harmonicCount: harmonicCount,
        splines: weights.tables[layer], radialVectors: shape.radialVectors,
        sources: sources[layer].reserve(0), sourceVectors: shape.featureVectors)
      evaluateHarmonics(batch)
      body(exactRadial == nil ? batch : withExactSplines(layer, edges, batch))
      first += count
    }
  }

  @inline(__always)
  private func evaluateHarmonics(_ batch: EdgeBatch<L>) {
    let harmonics = harmonics.reserve(0)
    for e in 0..<batch.count {
      let edge = batch.edges[e]
      SphericalHarmonics.evaluate(lMax, edge.x, edge.y, edge.z, into: harmonics + e &* harmonicCount)
    }
  }

  /// The same batch with splines of its own, one for each edge, which begin with the radial networks' values and slopes.
  private func withExactSplines(_ layer: Int, _ edges: EdgeList, _ batch: EdgeBatch<L>) -> EdgeBatch<L> {
    var batch = batch
    let splines = exactSplines.reserve(0)
    splines.update(repeating: .zero, count: 4 * batch.count * batch.radialVectors)
    for e in 0..<batch.count {
      let values = exactRadial![layer].evaluate(Dual(edges.lengths[Int(batch.edges[e].edge)], 1))
      for path in layout.layers[layer].paths {
        for c in 0..<path.channels {
          let value = values[path.radialColumn + c]
          let spline = splines + 4 * (e * batch.radialVectors + path.radial + c / L.width)
          L.Weight.store(L.Weight.Scalar(path.factor * value.value), spline, c % L.width)
          L.Weight.store(L.Weight.Scalar(path.factor * value.tangent * weights.spacing), spline + 1, c % L.width)
        }
      }
    }
    batch.splines = UnsafePointer(splines)
    return batch
  }

  /// Messages: for each centre, the sum over its edges of all paths.
  private func sendMessages(_ layer: Int, _ edges: EdgeList, to centres: Range<Int>) {
    let shape = layout.layers[layer]
    let m = shape.messageVectors
    let messages = messages[layer].reserve(centres.count * m)
    shape.paths.withUnsafeBufferPointer { paths in
      let (paths, pathCount) = (paths.baseAddress!, paths.count)
      for i in centres {
        let a = messages + (i - centres.lowerBound) * m
        a.update(repeating: .zero, count: m)
        forEachBatch(layer, edges, i) { batch in
          let kernel = Multiplication(batch: batch, coefficients: weights.couplings, a: a)
          for k in 0..<pathCount { kernel.run(paths + k) }
        }
      }
    }
  }

  /// Of the sources, to which every edge adds.
  private func clearSourceGradients(_ layer: Int, _ edges: EdgeList) {
    let count = edges.atomCount * layout.layers[layer].featureVectors
    sourceGradients.reserve(count).update(repeating: .zero, count: count)
  }

  /// Gradients of the neighbours' sources, of the edges, and of the radial tables.
  private func sendMessagesBackward(_ layer: Int, _ edges: EdgeList, to centres: Range<Int>, _ outputs: Outputs) {
    let shape = layout.layers[layer]
    let m = shape.messageVectors
    let gh = sourceGradients.reserve(edges.atomCount * shape.featureVectors)
    let messageGradients = messageGradients.reserve(centres.count * m)
    let gEdge = edgeGradients.reserve(0)
    let wantsEdges = outputs.gradients != nil || outputs.gradientTangents != nil
    let wantsScalars = wantsFeatureGradients(layer, outputs)
    shape.paths.withUnsafeBufferPointer { paths in
      let (paths, pathCount) = (paths.baseAddress!, paths.count)
      for i in centres {
        let g = messageGradients + (i - centres.lowerBound) * m
        forEachBatch(layer, edges, i) { batch in
          gEdge.update(repeating: .zero, count: batch.count &* harmonicCount)
          let kernel = MultiplicationPullBack(
            batch: batch, g: g, coefficients: weights.couplings, gx: gh, gEdge: gEdge,
            gSplines: outputs.weights?.tables[layer], wantsScalars: wantsScalars)
          for k in 0..<pathCount { kernel.run(paths + k) }
          if wantsEdges { addEdgeGradients(batch, gEdge, outputs) }
        }
      }
    }
  }

  /// From the gradients of harmonics and lengths, for each channel, to those of the edge vectors.
  @inline(__always)
  private func addEdgeGradients(_ batch: EdgeBatch<L>, _ gEdge: UnsafePointer<L>, _ outputs: Outputs) {
    let harmonics = harmonics.reserve(0)
    let knotsPerLength = S(1 / weights.spacing)
    withUnsafeTemporaryAllocation(of: S.self, capacity: 16) { sums in
      let sums = sums.baseAddress!
      for e in 0..<batch.count {
        let edge = batch.edges[e]
        L.sum(gEdge + e &* harmonicCount, harmonicCount, into: sums)
        let along = sums[0] * knotsPerLength
        let angular = SphericalHarmonics.pullBack(
          lMax, edge.x, edge.y, edge.z, harmonics + e &* harmonicCount, sums, inverseLength: edge.inverseLength)
        let (x, y, z) = (angular.0 + along * edge.x, angular.1 + along * edge.y, angular.2 + along * edge.z)
        outputs.gradients?[Int(edge.edge)] += SIMD3(x.primal, y.primal, z.primal)
        outputs.gradientTangents?[Int(edge.edge)] += SIMD3(x.derivative, y.derivative, z.derivative)
      }
    }
  }
}
