/// How features of atoms go through each layer, forward and back.
extension NetworkEvaluator {
  /// Computes, for each type, what enters the first layer: features, sources (features after linear_1, which messages
  /// carry), and the self-connection, with which the convolution begins.
  func embed(_ job: Job) {
    let (shape, typeCount) = (layers[0], weights.scales.count)
    let (n, c) = (shape.featureVectors, shape.convolutionVectors)
    typeFeatures.begin(typeCount: typeCount, featureVectors: n, convolutionVectors: c)
    let (x, h, z) = (typeFeatures.features.pointer, typeFeatures.sources.pointer, typeFeatures.convolutions.pointer)
    for type in 0..<typeCount {
      let row = weights.lanes + layout.embedding.offset + type * layout.embedding.columnVectors
      for v in 0..<n { x[type * n + v] = L(weight: row[v]) }
      apply(shape.selfConnections(type), x + type * n, every: n, to: z + type * c, every: c, count: 1)
    }
    apply(shape.linear1, x, every: n, to: h, every: n, count: typeCount)
  }

  /// Whether gradients with respect to a layer's sources are needed; in the first layer they are for the weights' sake
  /// alone.
  func wantsSourceGradients(_ layer: Int, _ job: Job) -> Bool { layer > 0 || job.outputs.weights != nil }

  /// Computes from a block's features the sources of a layer, which messages carry, and the self-connection, with which
  /// the convolution begins.
  func mixInputs(_ layer: Int, _ job: Job, _ centres: Range<Int>) {
    makeSources(layer, job, centres)
    let shape = layers[layer]
    let (n, c) = (shape.featureVectors, shape.convolutionVectors)
    let x = job.block.features(layer)
    let z = convolutions(layer, job)
    (z + centres.lowerBound * c).update(repeating: .zero, count: centres.count * c)
    forEachRun(ofTypesAmong: centres, job.edges) { run, type in
      let features = x + (run.lowerBound - centres.lowerBound) * n
      apply(
        shape.selfConnections(type), features, every: n, to: z + run.lowerBound * c, every: c, count: run.count)
    }
  }

  /// Computes the sources of a layer: linear_1 of a block's features.
  private func makeSources(_ layer: Int, _ job: Job, _ centres: Range<Int>) {
    let shape = layers[layer]
    let n = shape.featureVectors
    let x = job.block.features(layer)
    let h = sources(layer, job) + centres.lowerBound * n
    h.update(repeating: .zero, count: centres.count * n)
    apply(shape.linear1, x, every: n, to: h, every: n, count: centres.count)
  }

  /// Computes the sources of a layer again, as they were on the way forward, from the convolutions of the layer before.
  func restoreSources(_ layer: Int, _ job: Job, _ centres: Range<Int>) {
    activate(layer - 1, job, centres)
    makeSources(layer, job, centres)
  }

  /// Computes from the gradients of a layer's convolutions and of its sources those of the features, and from these
  /// those of the convolutions of the layer before.
  func mixInputsBackward(_ layer: Int, _ job: Job, _ centres: Range<Int>) {
    let (shape, edges) = (layers[layer], job.edges)
    let (n, c) = (shape.featureVectors, shape.convolutionVectors)
    let gh = sourceGradients(layer, job)
    let gz = convolutions(layer, job)
    let gx = job.block.featureGradients.pointer
    gx.update(repeating: .zero, count: centres.count * n)
    apply(
      shape.linear1, transposed: true, gh + centres.lowerBound * n, every: n, to: gx, every: n, count: centres.count)
    forEachRun(ofTypesAmong: centres, edges) { run, type in
      let target = gx + (run.lowerBound - centres.lowerBound) * n
      apply(
        shape.selfConnections(type), transposed: true, gz + run.lowerBound * c, every: c, to: target, every: n,
        count: run.count)
    }
    if let gradient = job.outputs.weights { addGradients(layer, job, centres, to: gradient) }
    for i in centres { activateBackward(layer - 1, job, i, gx + (i - centres.lowerBound) * n) }
  }

  /// Adds the gradients of the linear maps of a layer; all atoms are in one block.
  private func addGradients(_ layer: Int, _ job: Job, _ centres: Range<Int>, to gradient: WeightGradient<L.Weight>) {
    let shape = layers[layer]
    let (n, m, c) = (shape.featureVectors, shape.messageVectors, shape.convolutionVectors)
    let x = job.block.features(layer)
    let a = job.block.messages(layer)
    let (gh, gz) = (sourceGradients(layer, job), convolutions(layer, job))
    for i in centres {
      addGradient(shape.linear1, x + i * n, gh + i * n, to: gradient)
      addGradient(shape.selfConnections(Int(job.edges.types[i])), x + i * n, gz + i * c, to: gradient)
      addGradient(shape.linear2, a + i * m, gz + i * c, to: gradient)
    }
  }

  /// Adds the gradients of the first layer's linear maps, and of the embedding, from those of its convolutions and of
  /// its sources, which are summed over the atoms of each type.
  func embedBackward(_ job: Job, _ gradient: WeightGradient<L.Weight>) {
    let (shape, edges) = (layers[0], job.edges)
    let (n, m, c) = (shape.featureVectors, shape.messageVectors, shape.convolutionVectors)
    let (a, gz) = (job.block.messages(0), convolutions(0, job))
    let (x, gh, sums) = (typeFeatures.features.pointer, sourceGradients(0, job), typeFeatures.convolutions.pointer)
    let gx = job.block.featureGradients.pointer
    sums.update(repeating: .zero, count: weights.scales.count * c)
    for i in 0..<edges.centreCount {
      addGradient(shape.linear2, a + i * m, gz + i * c, to: gradient)
      let sum = sums + Int(edges.types[i]) * c
      for v in 0..<c { sum[v] = sum[v] + gz[i * c + v] }
    }
    for type in 0..<weights.scales.count {
      let (x, gh, gz) = (x + type * n, gh + type * n, sums + type * c)
      addGradient(shape.linear1, x, gh, to: gradient)
      addGradient(shape.selfConnections(type), x, gz, to: gradient)
      gx.update(repeating: .zero, count: n)
      apply(shape.linear1, transposed: true, gh, every: n, to: gx, every: n, count: 1)
      apply(shape.selfConnections(type), transposed: true, gz, every: c, to: gx, every: n, count: 1)
      let row = gradient.lanes + layout.embedding.offset + type * layout.embedding.columnVectors
      for v in 0..<n { row[v] += L.weightGradient(gx[v]) }
    }
  }

  /// Calls `body` with consecutive atoms of one type, and the type.
  @inline(__always)
  private func forEachRun(ofTypesAmong atoms: Range<Int>, _ edges: EdgePointers, _ body: (Range<Int>, Int) -> Void) {
    var start = atoms.lowerBound
    while start < atoms.upperBound {
      let type = edges.types[start]
      var end = start + 1
      while end < atoms.upperBound, edges.types[end] == type { end += 1 }
      body(start..<end, Int(type))
      start = end
    }
  }

  /// Messages, and linear_2 of them added to the self-connection.
  func convolve(_ layer: Int, _ job: Job, _ centres: Range<Int>) {
    prepareEdges(job, centres)
    if layer == 0 { beginConvolutions(job, centres) }
    job.clock?.enter(.messages)
    sendMessages(layer, job, to: centres)
    job.clock?.enter(.features)
    let shape = layers[layer]
    let (m, c) = (shape.messageVectors, shape.convolutionVectors)
    let a = job.block.messages(layer)
    let z = convolutions(layer, job) + centres.lowerBound * c
    apply(shape.linear2, a, every: m, to: z, every: c, count: centres.count)
  }

  /// Sets the convolutions of the first layer to the self-connections of the atoms' types.
  private func beginConvolutions(_ job: Job, _ centres: Range<Int>) {
    let c = layers[0].convolutionVectors
    let (z, begin) = (convolutions(0, job), typeFeatures.convolutions.pointer)
    for i in centres { (z + i * c).update(from: begin + Int(job.edges.types[i]) * c, count: c) }
  }

  /// Computes from the gradients of convolutions those of messages, and from these those of sources and edges.
  func convolveBackward(_ layer: Int, _ job: Job, _ centres: Range<Int>) {
    prepareEdges(job, centres)
    job.clock?.enter(.featuresBackward)
    let shape = layers[layer]
    let (m, c) = (shape.messageVectors, shape.convolutionVectors)
    let gz = convolutions(layer, job) + centres.lowerBound * c
    let g = job.block.messageGradients.pointer
    g.update(repeating: .zero, count: centres.count * m)
    apply(shape.linear2, transposed: true, gz, every: c, to: g, every: m, count: centres.count)
    job.clock?.enter(.messagesBackward)
    sendMessagesBackward(layer, job, to: centres)
  }

  func activate(_ layer: Int, _ job: Job, _ centres: Range<Int>) {
    let shape = layers[layer]
    let (c, n) = (shape.convolutionVectors, shape.outputVectors)
    let z = convolutions(layer, job)
    let x = job.block.features(layer + 1)
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

  /// Replaces the convolution of an atom by the gradient with respect to it.
  private func activateBackward(_ layer: Int, _ job: Job, _ i: Int, _ gx: UnsafePointer<L>) {
    let shape = layers[layer]
    let row = convolutions(layer, job) + i * shape.convolutionVectors
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
  func readOut(_ job: Job, _ centres: Range<Int>) {
    let (n, outputs) = (layout.readoutVectors, job.outputs)
    let features = job.block.features(layerCount)
    let gx = job.block.featureGradients.pointer
    let v = weights.lanes + layout.readout
    for i in centres {
      let x = features + (i - centres.lowerBound) * n
      let type = Int(job.edges.types[i])
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
      activateBackward(layerCount - 1, job, i, gx)
    }
  }

  // MARK: Linear maps of channels

  // These functions act on consecutive atoms, with a stride of vectors from one atom to the next. Maps are reached by
  // pointer: copies of them would cost more than small ones do.

  /// Adds to y what maps make of x, or what their transposes do.
  @inline(__always)
  private func apply(
    _ maps: UnsafeBufferPointer<NetworkLayout.Linear>, transposed: Bool = false, _ x: UnsafePointer<L>,
    every xStride: Int, to y: UnsafeMutablePointer<L>, every yStride: Int, count: Int
  ) {
    for k in 0..<maps.count {
      let map = maps.baseAddress! + k
      let (from, to) = transposed ? (map.pointee.output, map.pointee.input) : (map.pointee.input, map.pointee.output)
      ChannelMatrix<L>(weights.lanes, map, transposed: transposed)
        .apply(map.pointee.dimension, x + from, every: xStride, addingTo: y + to, every: yStride, count: count)
    }
  }

  @inline(__always)
  private func addGradient(
    _ maps: UnsafeBufferPointer<NetworkLayout.Linear>, _ x: UnsafePointer<L>, _ gy: UnsafePointer<L>,
    to gradient: WeightGradient<L.Weight>
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
}
