/// Energy and derivatives of a network, layer by layer forward and back, over plain or dual lanes: one implementation
/// for dynamics (Float), checks (Double) and training (dual numbers).
///
/// Forward over reverse: with dual edge vectors, whose tangents are a direction w of all positions, the gradient with
/// respect to weights that comes out is d/dε of ∂E/∂θ at x + ε w, which is the gradient of -w·F(θ). No second
/// derivative is ever written down.
final class NetworkEvaluator<L: Lanes> where L.Weight: PlainLanes, L.Weight.Scalar: BinaryFloatingPoint {
  typealias S = L.Scalar

  /// An edge within the network's cutoff: its unit vector, and its length as the radial tables want it.
  struct EdgeGeometry {
    /// Place in the edge list.
    var edge: Int32
    var neighbour: Int32
    var x: S
    var y: S
    var z: S
    var inverseLength: S
    /// Interval of the tables, and place between its knots (0…1).
    var knot: Int32
    var t: S
  }

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

  private let layout: NetworkLayout
  private let weights: PackedWeights<L.Weight>
  /// Radial networks evaluated at each edge instead of the tables, where exact numbers are wanted.
  private let exactRadial: [RadialNetwork<Dual<Double>>]?
  private let lMax: Int

  private var geometry = Buffer<EdgeGeometry>()
  /// Those of centre i are firstEdges[i]..<firstEdges[i + 1].
  private var firstEdges = Buffer<Int32>()
  private var features: [Buffer<L>]
  private var messages: [Buffer<L>]
  private var convolutions: [Buffer<L>]
  private var sources: [Buffer<L>]
  private var sourceGradients = Buffer<L>()
  private var featureGradients = Buffer<L>()
  private var nextFeatureGradients = Buffer<L>()
  private var messageGradients = Buffer<L>()
  private var convolutionGradients = Buffer<L>()
  private var radialWeights = Buffer<L>()
  private var radialSlopes = Buffer<L>()
  private var radialGradients = Buffer<L>()
  private var harmonics = Buffer<S>()
  private var matrices = Buffer<L>()
  private var edgeGradients = Buffer<L>()
  private var edgeSums = Buffer<S>()

  init(_ weights: PackedWeights<L.Weight>, exactRadial: [RadialNetwork<Dual<Double>>]? = nil) {
    layout = weights.layout
    self.weights = weights
    self.exactRadial = exactRadial
    lMax = layout.plan.architecture.lMax
    let layers = layout.layers.count
    features = Array(repeating: Buffer(), count: layers + 1)
    sources = Array(repeating: Buffer(), count: layers)
    messages = Array(repeating: Buffer(), count: layers)
    convolutions = Array(repeating: Buffer(), count: layers)
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
    prepareGeometry(edges, directions)
    embed(edges)
    for layer in layout.layers.indices {
      mixInputs(layer, edges)
      if let exchange, layer > 0 { copySourcesToGhosts(layer, edges, exchange) }
      for start in stride(from: 0, to: edges.centreCount, by: block) {
        let centres = start..<min(start + block, edges.centreCount)
        sendMessages(layer, edges, to: centres)
        convolve(layer, edges, centres)
        activate(layer, edges, centres)
      }
    }
    readOut(edges, outputs)
    guard outputs.gradients != nil || outputs.gradientTangents != nil || outputs.weights != nil else { return }
    for layer in layout.layers.indices.reversed() {
      if wantsFeatureGradients(layer, outputs) { clearGradients(layer, edges) }
      for start in stride(from: 0, to: edges.centreCount, by: block) {
        let centres = start..<min(start + block, edges.centreCount)
        activateBackward(layer, edges, centres)
        convolveBackward(layer, edges, centres, outputs)
        sendMessagesBackward(layer, edges, to: centres, outputs)
      }
      swap(&featureGradients, &nextFeatureGradients)
      if let exchange, layer > 0 { addSourceGradientsOfGhosts(layer, edges, exchange) }
      if wantsFeatureGradients(layer, outputs) { mixInputsBackward(layer, edges, outputs) }
    }
    if let gradient = outputs.weights { embedBackward(edges, gradient) }
  }

  /// How many centres go through a layer together: few, so that their messages stay in cache, which are the most there is
  /// for each atom; or all, where the gradient of weights needs the messages once more.
  private func blockSize(_ edges: EdgeList, _ outputs: Outputs) -> Int {
    outputs.weights == nil ? 16 : max(1, edges.centreCount)
  }

  private func reserve(_ edges: EdgeList, block: Int) {
    let atoms = edges.atomCount
    let layers = layout.layers
    for (k, layer) in layers.enumerated() {
      _ = features[k].reserve(atoms * layer.featureVectors)
      _ = sources[k].reserve(atoms * layer.featureVectors)
      _ = messages[k].reserve(block * layer.messageVectors)
      _ = convolutions[k].reserve(atoms * layer.convolutionVectors)
    }
    _ = features[layers.count].reserve(atoms * layout.readoutVectors)
    let widest = max(layers.lazy.map(\.featureVectors).max()!, layout.readoutVectors)
    _ = sourceGradients.reserve(atoms * widest)
    _ = featureGradients.reserve(atoms * widest)
    _ = nextFeatureGradients.reserve(atoms * widest)
    _ = messageGradients.reserve(layers.lazy.map(\.messageVectors).max()!)
    _ = convolutionGradients.reserve(block * layers.lazy.map(\.convolutionVectors).max()!)
    let radial = layers.lazy.map(\.radialVectors).max()!
    for buffer in [radialWeights.reserve(radial), radialSlopes.reserve(radial), radialGradients.reserve(radial)] {
      buffer.update(repeating: .zero, count: radial)
    }
    _ = harmonics.reserve(SphericalHarmonics.count(lMax))
    _ = geometry.reserve(edges.count)
  }

  private func prepareGeometry(_ edges: EdgeList, _ directions: UnsafePointer<SIMD3<Double>>?) {
    let geometry = geometry.reserve(edges.count)
    let count = selectEdges(edges, geometry)
    let (vectors, lengths) = (edges.vectors, edges.lengths)
    let knotsPerLength = 1 / weights.spacing
    let lastKnot = Double(weights.intervals - 1)
    for k in 0..<count {
      let e = Int(geometry[k].edge)
      let inverse = 1 / lengths[e]
      let u = vectors[e] * inverse
      // The place between knots loses digits in single precision, so it is found in double.
      let place = lengths[e] * knotsPerLength
      let knot = min(place.rounded(.down), lastKnot)
      var (tangent, along) = (SIMD3<Double>.zero, 0.0)
      if let directions {
        along = dot(u, directions[e])
        tangent = (directions[e] - along * u) * inverse
      }
      geometry[k] = EdgeGeometry(
        edge: Int32(e), neighbour: edges.neighbours[e],
        x: S(u.x, tangent: tangent.x), y: S(u.y, tangent: tangent.y), z: S(u.z, tangent: tangent.z),
        inverseLength: S(inverse, tangent: -along * inverse * inverse), knot: Int32(knot),
        t: S(place - knot, tangent: along * knotsPerLength))
    }
  }

  /// Enters the edges within the cutoff, and returns their number. The list may have many more, where other terms of the
  /// potential reach farther.
  private func selectEdges(_ edges: EdgeList, _ geometry: UnsafeMutablePointer<EdgeGeometry>) -> Int {
    let firstEdges = firstEdges.reserve(edges.centreCount + 1)
    let lengths = edges.lengths
    let rMax = layout.plan.architecture.rMax
    var count = 0
    for i in 0..<edges.centreCount {
      firstEdges[i] = Int32(count)
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) {
        // Written in any case, kept by counting on: cheaper than a branch that nobody can predict.
        geometry[count].edge = Int32(truncatingIfNeeded: e)
        count += lengths[e] < rMax ? 1 : 0
      }
    }
    firstEdges[edges.centreCount] = Int32(count)
    return count
  }

  // MARK: Atoms

  private func embed(_ edges: EdgeList) {
    let n = layout.layers[0].featureVectors
    let x = features[0].reserve(edges.atomCount * n)
    for i in 0..<edges.atomCount {
      let row = weights.lanes + layout.embedding.offset + Int(edges.types[i]) * layout.embedding.columnVectors
      for v in 0..<n {
        var lanes = L.zero
        lanes.add(weight: row[v], times: S(1))
        x[i * n + v] = lanes
      }
    }
  }

  private func embedBackward(_ edges: EdgeList, _ gradient: WeightGradient<L.Weight>) {
    let n = layout.layers[0].featureVectors
    let g = featureGradients.reserve(edges.atomCount * n)
    for i in 0..<edges.atomCount {
      let row = gradient.lanes + layout.embedding.offset + Int(edges.types[i]) * layout.embedding.columnVectors
      for v in 0..<n { row[v] += L.weightGradient(g[i * n + v]) }
    }
  }

  /// Atoms whose features are known here: in the first layer all, since types are enough; later the centres.
  private func knownCount(_ layer: Int, _ edges: EdgeList) -> Int { layer == 0 ? edges.atomCount : edges.centreCount }

  /// Features of the first layer depend on types alone: only the embedding's weights need their gradient.
  private func wantsFeatureGradients(_ layer: Int, _ outputs: Outputs) -> Bool { layer > 0 || outputs.weights != nil }

  /// linear_1: features as messages carry them.
  private func mixInputs(_ layer: Int, _ edges: EdgeList) {
    let shape = layout.layers[layer]
    let n = shape.featureVectors
    let x = features[layer].reserve(edges.atomCount * n)
    let h = sources[layer].reserve(edges.atomCount * n)
    let count = knownCount(layer, edges)
    h.update(repeating: .zero, count: count * n)
    for i in 0..<count { apply(shape.linear1, x + i * n, to: h + i * n) }
  }

  private func mixInputsBackward(_ layer: Int, _ edges: EdgeList, _ outputs: Outputs) {
    let shape = layout.layers[layer]
    let n = shape.featureVectors
    let x = features[layer].reserve(edges.atomCount * n)
    let gh = sourceGradients.reserve(edges.atomCount * n)
    let gx = featureGradients.reserve(edges.atomCount * n)
    for i in 0..<knownCount(layer, edges) {
      applyTransposed(shape.linear1, gh + i * n, to: gx + i * n)
      if let gradient = outputs.weights { addGradient(shape.linear1, x + i * n, gh + i * n, to: gradient) }
    }
  }

  /// Of the sources, to which every edge adds, and of the features of atoms that are no centres.
  private func clearGradients(_ layer: Int, _ edges: EdgeList) {
    let n = layout.layers[layer].featureVectors
    sourceGradients.reserve(edges.atomCount * n).update(repeating: .zero, count: edges.atomCount * n)
    let gx = nextFeatureGradients.reserve(edges.atomCount * n)
    (gx + edges.centreCount * n).update(repeating: .zero, count: (edges.atomCount - edges.centreCount) * n)
  }

  /// linear_2 of the messages, and the self-connection.
  private func convolve(_ layer: Int, _ edges: EdgeList, _ centres: Range<Int>) {
    let shape = layout.layers[layer]
    let (n, m, c) = (shape.featureVectors, shape.messageVectors, shape.convolutionVectors)
    let x = features[layer].reserve(edges.atomCount * n)
    let a = messages[layer].reserve(centres.count * m)
    let z = convolutions[layer].reserve(edges.centreCount * c)
    (z + centres.lowerBound * c).update(repeating: .zero, count: centres.count * c)
    for i in centres {
      apply(shape.linear2, a + (i - centres.lowerBound) * m, to: z + i * c)
      apply(shape.selfConnections[Int(edges.types[i])], x + i * n, to: z + i * c)
    }
  }

  /// Leaves the gradient of features due to self-connections; messages' gradients are made centre by centre, when the
  /// edges need them.
  private func convolveBackward(_ layer: Int, _ edges: EdgeList, _ centres: Range<Int>, _ outputs: Outputs) {
    let shape = layout.layers[layer]
    let (n, m, c) = (shape.featureVectors, shape.messageVectors, shape.convolutionVectors)
    let x = features[layer].reserve(edges.atomCount * n)
    let a = messages[layer].reserve(centres.count * m)
    let gz = convolutionGradients.reserve(centres.count * c)
    let gx = nextFeatureGradients.reserve(edges.atomCount * n)
    let wantsFeatures = wantsFeatureGradients(layer, outputs)
    for i in centres {
      let connection = shape.selfConnections[Int(edges.types[i])]
      let row = i - centres.lowerBound
      if wantsFeatures {
        (gx + i * n).update(repeating: .zero, count: n)
        applyTransposed(connection, gz + row * c, to: gx + i * n)
      }
      if let gradient = outputs.weights {
        addGradient(connection, x + i * n, gz + row * c, to: gradient)
        addGradient(shape.linear2, a + row * m, gz + row * c, to: gradient)
      }
    }
  }

  private func activate(_ layer: Int, _ edges: EdgeList, _ centres: Range<Int>) {
    let shape = layout.layers[layer]
    let (c, n) = (shape.convolutionVectors, shape.outputVectors)
    let z = convolutions[layer].reserve(edges.centreCount * c)
    let x = features[layer + 1].reserve(edges.atomCount * n)
    for i in centres {
      for gate in shape.gates {
        let source = z + i * c + gate.input
        let target = x + i * n + gate.output
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

  private func activateBackward(_ layer: Int, _ edges: EdgeList, _ centres: Range<Int>) {
    let shape = layout.layers[layer]
    let (c, n) = (shape.convolutionVectors, shape.outputVectors)
    let z = convolutions[layer].reserve(edges.centreCount * c)
    let gz = convolutionGradients.reserve(centres.count * c)
    let gx = featureGradients.reserve(edges.atomCount * n)
    for i in centres {
      let row = gz + (i - centres.lowerBound) * c
      for gate in shape.gates {
        let source = z + i * c + gate.input
        let g = gx + i * n + gate.output
        let sourceGradient = row + gate.input
        for v in 0..<gate.vectors {
          guard let offset = gate.gate else {
            sourceGradient[v] = g[v] * gate.activation.slope(source[v])
            continue
          }
          let x = z[i * c + offset + v]
          let f = gate.activation.value(x)
          var sum = L.zero
          for d in 0..<gate.dimension {
            let k = d * gate.vectors + v
            sum.add(g[k], times: source[k])
            sourceGradient[k] = g[k] * f
          }
          row[offset + v] = sum * gate.activation.slope(x)
        }
      }
    }
  }

  /// Energies, and the gradient of the last features.
  private func readOut(_ edges: EdgeList, _ outputs: Outputs) {
    let n = layout.readoutVectors
    let x = features[layout.layers.count].reserve(edges.atomCount * n)
    let gx = featureGradients.reserve(edges.atomCount * n)
    let v = weights.lanes + layout.readout
    for i in 0..<edges.centreCount {
      let type = Int(edges.types[i])
      let scale = outputs.scale * weights.scales[type]
      let laneScale = L.Weight.Scalar(scale)
      var sum = L.zero
      for k in 0..<n {
        var term = L.zero
        term.add(weight: v[k], times: S(1))
        sum.add(term, times: x[i * n + k])
        var g = L.zero
        g.add(term, constant: laneScale)
        gx[i * n + k] = g
      }
      let energy = sum.sum()
      outputs.energies?[i] += scale * energy.primal + outputs.scale * weights.shifts[type]
      if let gradient = outputs.weights {
        gradient.scales[type] += outputs.scale * energy.derivative
        for k in 0..<n {
          var scaled = L.zero
          scaled.add(x[i * n + k], constant: laneScale)
          (gradient.lanes + layout.readout)[k] += L.weightGradient(scaled)
        }
      }
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

  @inline(__always)
  private func apply(_ maps: [NetworkLayout.Linear], _ x: UnsafePointer<L>, to y: UnsafeMutablePointer<L>) {
    for map in maps {
      let m = map.matrix
      ChannelMatrix(
        weights: weights.lanes + m.offset, rows: m.source.rows, rowVectors: m.rowVectors, columnVectors: m.columnVectors
      ).apply(map.dimension, x + map.input, addingTo: y + map.output)
    }
  }

  @inline(__always)
  private func applyTransposed(_ maps: [NetworkLayout.Linear], _ gy: UnsafePointer<L>, to gx: UnsafeMutablePointer<L>) {
    for map in maps {
      let m = map.matrix
      ChannelMatrix(
        weights: weights.lanes + m.transposed, rows: m.source.columns, rowVectors: m.columnVectors,
        columnVectors: m.rowVectors
      ).apply(map.dimension, gy + map.output, addingTo: gx + map.input)
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

  /// Weights of all paths at the length of an edge; their slopes times the spacing of the knots too, where `slopes` is
  /// given.
  @inline(__always)
  private func radial(
    _ layer: Int, _ edge: EdgeGeometry, _ vectors: Int, into w: UnsafeMutablePointer<L>,
    slopes: UnsafeMutablePointer<L>?
  ) {
    guard exactRadial == nil else { return exactRadialWeights(layer, edge, into: w, slopes: slopes) }
    let row = weights.tables[layer] + 4 &* Int(edge.knot) &* vectors
    let t = edge.t
    let (t2, t3) = (t * t, t * t * t)
    let (d2, d3) = (S(2) * t, S(3) * t2)
    for v in 0..<vectors {
      let (c1, c2, c3) = (row[vectors &+ v], row[2 &* vectors &+ v], row[3 &* vectors &+ v])
      var value = L(weight: row[v])
      value.add(weight: c1, times: t)
      value.add(weight: c2, times: t2)
      value.add(weight: c3, times: t3)
      w[v] = value
      guard let slopes else { continue }
      var slope = L(weight: c1)
      slope.add(weight: c2, times: d2)
      slope.add(weight: c3, times: d3)
      slopes[v] = slope
    }
  }

  private func exactRadialWeights(
    _ layer: Int, _ edge: EdgeGeometry, into w: UnsafeMutablePointer<L>, slopes: UnsafeMutablePointer<L>?
  ) {
    let values = exactRadial![layer].evaluate(Dual((Double(edge.knot) + edge.t.primal) * weights.spacing, 1))
    for path in layout.layers[layer].paths {
      for c in 0..<path.channels {
        let value = values[path.radialColumn + c]
        L.store(S(path.factor * value.value), w + path.radial, c)
        if let slopes { L.store(S(path.factor * value.tangent * weights.spacing), slopes + path.radial, c) }
      }
    }
  }

  /// An edge's harmonics, and the matrices of the products that a layer takes with them.
  @inline(__always)
  private func couple(
    _ products: UnsafeBufferPointer<CouplingTable.Product>, _ edge: EdgeGeometry, _ ylm: UnsafeMutablePointer<S>,
    into matrices: UnsafeMutablePointer<L>
  ) {
    SphericalHarmonics.evaluate(lMax, edge.x, edge.y, edge.z, into: ylm)
    var place = 1
    for l in stride(from: 1, through: lMax, by: 1) {
      let d = 2 &* l &+ 1
      for m in 0..<d { L.store(ylm[l &* l &+ m], matrices + place, m) }
      place = place &+ (d &+ L.width &- 1) / L.width
    }
    for product in products {
      let y = ylm + product.l2 &* product.l2
      for v in 0..<product.vectors {
        let rows = weights.couplings + (product.coefficients &+ v)
        var sum = L.zero
        for m in 0..<2 &* product.l2 &+ 1 { sum.add(weight: rows[m &* product.vectors], times: y[m]) }
        matrices[product.matrix &+ v] = sum
      }
    }
  }

  /// Messages: for each centre, the sum over its edges of all paths.
  private func sendMessages(_ layer: Int, _ edges: EdgeList, to centres: Range<Int>) {
    let shape = layout.layers[layer]
    let (n, m, radialVectors) = (shape.featureVectors, shape.messageVectors, shape.radialVectors)
    let h = sources[layer].reserve(edges.atomCount * n)
    let messages = messages[layer].reserve(centres.count * m)
    let geometry = UnsafePointer(geometry.reserve(edges.count))
    let w = radialWeights.reserve(radialVectors)
    let ylm = harmonics.reserve(SphericalHarmonics.count(lMax))
    let matrices = matrices.reserve(layout.couplings.edgeVectors)
    let firstEdges = firstEdges.reserve(edges.centreCount + 1)
    messages.update(repeating: .zero, count: centres.count * m)
    shape.paths.withUnsafeBufferPointer { paths in
      let (paths, pathCount) = (paths.baseAddress!, paths.count)
      shape.products.withUnsafeBufferPointer { products in
        for i in centres {
          let a = messages + (i - centres.lowerBound) * m
          for e in Int(firstEdges[i])..<Int(firstEdges[i + 1]) {
            let edge = geometry[e]
            radial(layer, edge, radialVectors, into: w, slopes: nil)
            couple(products, edge, ylm, into: matrices)
            let x = h + Int(edge.neighbour) * n
            let kernel = Multiplication(x: x, matrices: matrices, w: w, a: a)
            for k in 0..<pathCount { kernel.run(paths + k) }
          }
        }
      }
    }
  }

  /// Σ a·b for each channel, in four sums that do not wait for each other.
  @inline(__always)
  private static func contract(_ a: UnsafePointer<L>, _ b: UnsafePointer<L>, _ count: Int) -> L {
    var (s0, s1, s2, s3) = (L.zero, L.zero, L.zero, L.zero)
    var k = 0
    while k &+ 4 <= count {
      s0.add(a[k], times: b[k])
      s1.add(a[k &+ 1], times: b[k &+ 1])
      s2.add(a[k &+ 2], times: b[k &+ 2])
      s3.add(a[k &+ 3], times: b[k &+ 3])
      k = k &+ 4
    }
    while k < count {
      s0.add(a[k], times: b[k])
      k = k &+ 1
    }
    return (s0 + s1) + (s2 + s3)
  }

  /// Gradients of the neighbours' features, of the edges, and of the radial tables.
  private func sendMessagesBackward(_ layer: Int, _ edges: EdgeList, to centres: Range<Int>, _ outputs: Outputs) {
    let shape = layout.layers[layer]
    let (n, m, c) = (shape.featureVectors, shape.messageVectors, shape.convolutionVectors)
    let radialVectors = shape.radialVectors
    let count = SphericalHarmonics.count(lMax)
    let h = sources[layer].reserve(edges.atomCount * n)
    let gh = sourceGradients.reserve(edges.atomCount * n)
    let gz = convolutionGradients.reserve(centres.count * c)
    let g = messageGradients.reserve(m)
    let geometry = UnsafePointer(geometry.reserve(edges.count))
    let (w, slopes) = (radialWeights.reserve(radialVectors), radialSlopes.reserve(radialVectors))
    let gw = radialGradients.reserve(radialVectors)
    let ylm = harmonics.reserve(count)
    let matrices = matrices.reserve(layout.couplings.edgeVectors)
    let (gEdge, sums) = (edgeGradients.reserve(count + 3), edgeSums.reserve(count + 3))
    let firstEdges = firstEdges.reserve(edges.centreCount + 1)
    let knotsPerLength = S(1 / weights.spacing)
    let wantsEdges = outputs.gradients != nil || outputs.gradientTangents != nil
    let wantsFeatures = wantsFeatureGradients(layer, outputs)

    shape.paths.withUnsafeBufferPointer { paths in
      let (paths, pathCount) = (paths.baseAddress!, paths.count)
      shape.products.withUnsafeBufferPointer { products in
        for i in centres {
          g.update(repeating: .zero, count: m)
          applyTransposed(shape.linear2, gz + (i - centres.lowerBound) * c, to: g)
          for e in Int(firstEdges[i])..<Int(firstEdges[i + 1]) {
            let edge = geometry[e]
            radial(layer, edge, radialVectors, into: w, slopes: wantsEdges ? slopes : nil)
            couple(products, edge, ylm, into: matrices)
            for k in 0..<count &+ 3 { gEdge[k] = .zero }
            let j = Int(edge.neighbour)
            let kernel = MultiplicationPullBack(
              g: g, x: h + j * n, matrices: matrices, coefficients: weights.couplings, w: w, gx: gh + j * n,
              gYlm: gEdge, gw: gw, wantsHarmonics: wantsEdges, wantsScalars: wantsFeatures)
            for k in 0..<pathCount { kernel.run(paths + k) }
            if wantsEdges {
              // In place of the constant harmonic, which has no gradient, stands that with respect to the length.
              gEdge[0] = Self.contract(gw, slopes, radialVectors)
              L.sum(gEdge, count, into: sums)
              let along = sums[0] * knotsPerLength
              let angular = SphericalHarmonics.pullBack(
                lMax, edge.x, edge.y, edge.z, ylm, sums, inverseLength: edge.inverseLength)
              let (x, y, z) = (angular.0 + along * edge.x, angular.1 + along * edge.y, angular.2 + along * edge.z)
              outputs.gradients?[Int(edge.edge)] += SIMD3(x.primal, y.primal, z.primal)
              outputs.gradientTangents?[Int(edge.edge)] += SIMD3(x.derivative, y.derivative, z.derivative)
            }
            if let gradient = outputs.weights { addRadialGradient(layer, edge, radialVectors, gw, to: gradient) }
          }
        }
      }
    }
  }

  @inline(__always)
  private func addRadialGradient(
    _ layer: Int, _ edge: EdgeGeometry, _ vectors: Int, _ gw: UnsafePointer<L>,
    to gradient: WeightGradient<L.Weight>
  ) {
    let target = gradient.tables[layer] + 4 &* Int(edge.knot) &* vectors
    let t = edge.t
    let (t2, t3) = (t * t, t * t * t)
    for v in 0..<vectors {
      target[v] += L.weightGradient(gw[v])
      target[vectors &+ v] += L.weightGradient(gw[v], t)
      target[2 &* vectors &+ v] += L.weightGradient(gw[v], t2)
      target[3 &* vectors &+ v] += L.weightGradient(gw[v], t3)
    }
  }
}
