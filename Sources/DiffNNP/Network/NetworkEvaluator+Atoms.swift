/// What happens to the features of atoms in each layer, there and back.
extension NetworkEvaluator {
  /// Features of the first layer, which depend on types alone.
  func embed(_ job: Job, _ atoms: Range<Int>) {
    setEmbedding(job, atoms)
    mixInputs(0, job, atoms)
  }

  private func setEmbedding(_ job: Job, _ atoms: Range<Int>) {
    let n = layers[0].featureVectors
    let x = job.block.features(0)
    for i in atoms {
      let row = weights.lanes + layout.embedding.offset + Int(job.edges.types[i]) * layout.embedding.columnVectors
      let target = x + (i - atoms.lowerBound) * n
      for v in 0..<n { target[v] = L(weight: row[v]) }
    }
  }

  /// Atoms whose features are known here: in the first layer all, since types are enough; later the centres.
  func knownCount(_ layer: Int, _ job: Job) -> Int { layer == 0 ? job.edges.atomCount : job.edges.centreCount }

  /// Features of the first layer depend on types alone: only the embedding's weights need their gradient.
  func wantsFeatureGradients(_ layer: Int, _ job: Job) -> Bool { layer > 0 || job.outputs.weights != nil }

  /// From a block's features to what messages carry of them, and to the self-connection, with which the convolution
  /// begins.
  func mixInputs(_ layer: Int, _ job: Job, _ atoms: Range<Int>) {
    makeSources(layer, job, atoms)
    let shape = layers[layer]
    let (n, c) = (shape.featureVectors, shape.convolutionVectors)
    let x = job.block.features(layer)
    let z = convolutions(layer, job)
    let centres = atoms.clamped(to: 0..<job.edges.centreCount)
    (z + centres.lowerBound * c).update(repeating: .zero, count: centres.count * c)
    forEachRun(ofTypesAmong: centres, job.edges) { run, type in
      let features = x + (run.lowerBound - atoms.lowerBound) * n
      apply(
        shape.selfConnections(type), features, every: n, to: z + run.lowerBound * c, every: c, count: run.count)
    }
  }

  /// linear_1 of a block's features.
  private func makeSources(_ layer: Int, _ job: Job, _ atoms: Range<Int>) {
    let shape = layers[layer]
    let n = shape.featureVectors
    let x = job.block.features(layer)
    let h = sources(layer, job) + atoms.lowerBound * n
    h.update(repeating: .zero, count: atoms.count * n)
    apply(shape.linear1, x, every: n, to: h, every: n, count: atoms.count)
  }

  /// Sources as they were on the way there, from what enters the activations before.
  func restoreSources(_ layer: Int, _ job: Job, _ atoms: Range<Int>) {
    if layer == 0 { setEmbedding(job, atoms) } else { activate(layer - 1, job, atoms) }
    makeSources(layer, job, atoms)
  }

  /// From the gradients of a layer's convolutions and of its sources to those of the features, and on to those of the
  /// convolutions before it, or of the embedding.
  func mixInputsBackward(_ layer: Int, _ job: Job, _ atoms: Range<Int>) {
    let (shape, edges) = (layers[layer], job.edges)
    let (n, c) = (shape.featureVectors, shape.convolutionVectors)
    let gh = sourceGradients(layer, job)
    let gz = convolutions(layer, job)
    let gx = job.block.featureGradients.pointer
    gx.update(repeating: .zero, count: atoms.count * n)
    apply(shape.linear1, transposed: true, gh + atoms.lowerBound * n, every: n, to: gx, every: n, count: atoms.count)
    forEachRun(ofTypesAmong: atoms.clamped(to: 0..<edges.centreCount), edges) { run, type in
      let target = gx + (run.lowerBound - atoms.lowerBound) * n
      apply(
        shape.selfConnections(type), transposed: true, gz + run.lowerBound * c, every: c, to: target, every: n,
        count: run.count)
    }
    if let gradient = job.outputs.weights { addGradients(layer, job, atoms, to: gradient) }
    for i in atoms {
      let row = gx + (i - atoms.lowerBound) * n
      if layer > 0 {
        activateBackward(layer - 1, job, i, row)
      } else if let gradient = job.outputs.weights {
        embedBackward(Int(edges.types[i]), row, gradient)
      }
    }
  }

  /// Gradients of the linear maps of a layer; all atoms are in one job.block.
  private func addGradients(_ layer: Int, _ job: Job, _ atoms: Range<Int>, to gradient: WeightGradient<L.Weight>) {
    let (shape, edges) = (layers[layer], job.edges)
    let (n, m, c) = (shape.featureVectors, shape.messageVectors, shape.convolutionVectors)
    let x = job.block.features(layer)
    let a = job.block.messages(layer)
    let (gh, gz) = (sourceGradients(layer, job), convolutions(layer, job))
    for i in atoms {
      addGradient(shape.linear1, x + i * n, gh + i * n, to: gradient)
      guard i < edges.centreCount else { continue }
      addGradient(shape.selfConnections(Int(edges.types[i])), x + i * n, gz + i * c, to: gradient)
      addGradient(shape.linear2, a + i * m, gz + i * c, to: gradient)
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

  private func embedBackward(_ type: Int, _ gx: UnsafePointer<L>, _ gradient: WeightGradient<L.Weight>) {
    let row = gradient.lanes + layout.embedding.offset + type * layout.embedding.columnVectors
    for v in 0..<layers[0].featureVectors { row[v] += L.weightGradient(gx[v]) }
  }

  /// Messages, and linear_2 of them added to the self-connection.
  func convolve(_ layer: Int, _ job: Job, _ centres: Range<Int>) {
    prepareEdges(job, centres)
    job.clock?.enter(.messages)
    sendMessages(layer, job, to: centres)
    job.clock?.enter(.features)
    let shape = layers[layer]
    let (m, c) = (shape.messageVectors, shape.convolutionVectors)
    let a = job.block.messages(layer)
    let z = convolutions(layer, job) + centres.lowerBound * c
    apply(shape.linear2, a, every: m, to: z, every: c, count: centres.count)
  }

  /// From the gradients of convolutions to those of messages, and on to those of sources and edges.
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

  /// Puts the gradient of an atom's convolution in its place.
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

  // Of consecutive atoms, with the vectors from one to the next. Maps are reached by pointer: copies of them would cost more
  // than small ones do.

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
