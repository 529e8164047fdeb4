/// Energy and derivatives of a network, layer by layer forward and back, over plain or dual lanes: one implementation
/// for dynamics (Float), checks (Double) and training (dual numbers).
///
/// Forward over reverse: with dual edge vectors, whose tangents are a direction w of all positions, the gradient with
/// respect to weights that comes out is d/dε of ∂E/∂θ at x + ε w, which is the gradient of -w·F(θ). No second
/// derivative is ever written down.
final class NetworkEvaluator<L: Lanes>: SharedWork where L.Weight: PlainLanes, L.Weight.Scalar: BinaryFloatingPoint {
  typealias S = L.Scalar

  /// Results, each added to; nil where unwanted.
  struct Outputs {
    /// Energies of the centres, times `scale`.
    var energies: UnsafeMutablePointer<Double>?
    /// Of the energies times `scale`.
    var forces: ForceSums?
    /// The tangents of `forces`: with dual numbers, minus the Hessian times the direction.
    var forceTangents: ForceSums?
    var weights: WeightGradient<L.Weight>?
    var scale = 1.0
  }

  /// Of one call, for one thread.
  private struct Job {
    /// Which share of the work, of how many.
    var share = 0
    var shareCount: Int
    var block: AtomBlock<L>
    var clock: StageClock?
    var edges: EdgePointers
    var directions: UnsafePointer<SIMD3<Double>>?
    var outputs: Outputs
    /// How many atoms go through a layer together: few, so that what need not last stays in cache; or all, where the
    /// gradient of weights needs it once more.
    var blockSize: Int
    /// Whether sources of all layers last. Otherwise they are made anew on the way back, which costs little, and share the
    /// memory of two layers with their gradients. Those of ghosts cannot be made here.
    var keepsSources: Bool
    /// Whether gradients are wanted. With `exchange` the other domains wait for the way back.
    var goesBack: Bool
  }

  /// What threads do together before one of them goes on alone.
  private enum Phase {
    case embed
    /// A layer, up to what the next one needs.
    case there(Int)
    /// The last layer, there and back.
    case turn
    case restoreSources(Int)
    case back(Int)
    /// Sums of the shares' gradients of sources.
    case gather(Int)
    case mixBack(Int)
    /// Sums of the shares' forces.
    case gatherForces
  }

  var clock: StageClock?
  private let layout: NetworkLayout
  private let weights: PackedWeights<L.Weight>
  /// Radial networks evaluated at each edge instead of the tables, where exact numbers are wanted.
  private let exactRadial: [RadialNetwork<Dual<Double>>]?
  private let lMax: Int
  private let harmonicCount: Int
  private let floor: DistanceFloor

  private let layers: UnsafePointer<PackedLayer<L.Weight>>
  private let layerCount: Int

  // Of all atoms. What enters the activations of each layer lasts until its gradient takes the same place.
  private var convolutionBuffer = Buffer<L>()
  /// Vectors of an atom before those of each layer.
  private let convolutionPlaces: UnsafeMutablePointer<Int>
  /// Features as messages carry them, and gradients with respect to these: see `sources`.
  private var sourceBuffer = Buffer<L>()
  private let sourceVectors: Int
  /// One for each thread.
  private var blocks: [AtomBlock<L>]
  private var team: ThreadTeam?
  private var job: Job?
  private var phase = Phase.embed

  init(_ weights: PackedWeights<L.Weight>, exactRadial: [RadialNetwork<Dual<Double>>]? = nil) {
    layout = weights.layout
    self.weights = weights
    self.exactRadial = exactRadial
    lMax = layout.plan.architecture.lMax
    floor = layout.plan.architecture.floor
    harmonicCount = SphericalHarmonics.count(lMax)
    layers = UnsafePointer(weights.layers)
    blocks = [AtomBlock(weights.layout)]
    layerCount = layout.layers.count
    sourceVectors = layout.widestFeatureVectors
    convolutionPlaces = .allocate(capacity: layerCount + 1)
    convolutionPlaces[0] = 0
    for k in 0..<layerCount { convolutionPlaces[k + 1] = convolutionPlaces[k] + layers[k].convolutionVectors }
  }

  deinit { convolutionPlaces.deallocate() }

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
    let isTraining = outputs.weights != nil || outputs.forceTangents != nil
    let job = Job(
      shareCount: isTraining ? 1 : max(1, min(blocks.count, edges.centreCount / Self.fewestAtoms)), block: blocks[0],
      clock: clock, edges: EdgePointers(edges), directions: directions, outputs: outputs,
      blockSize: outputs.weights == nil ? 16 : max(1, edges.atomCount),
      keepsSources: outputs.weights != nil || exchange != nil,
      goesBack: isTraining || outputs.forces != nil || exchange != nil)
    self.job = job
    reserve(job)
    let last = layerCount - 1
    run(.embed, job)
    for layer in 0..<last {
      run(.there(layer), job)
      if let exchange { copySourcesToGhosts(layer + 1, job, edges, exchange) }
    }
    run(.turn, job)
    if job.goesBack {
      finishWayBack(last, job, edges, exchange)
      for layer in (0..<last).reversed() {
        if !job.keepsSources { run(.restoreSources(layer), job) }
        run(.back(layer), job)
        finishWayBack(layer, job, edges, exchange)
      }
      if job.shareCount > 1 { run(.gatherForces, job) }
    }
    self.job = nil
    clock?.enter(nil)
  }

  /// What is left of a layer's way back when all edges have added to the gradients of sources.
  private func finishWayBack(_ layer: Int, _ job: Job, _ edges: EdgeList, _ exchange: AtomExchange?) {
    guard wantsFeatureGradients(layer, job) else { return }
    if job.shareCount > 1 { run(.gather(layer), job) }
    if let exchange, layer > 0 { addSourceGradientsOfGhosts(layer, job, edges, exchange) }
    run(.mixBack(layer), job)
  }

  // MARK: Threads

  /// Threads that share the work of one call, as long as each has some atoms. Sums over shares are made in their order, so
  /// that results depend on the number of threads to rounding alone, and energies not at all.
  var threads: Int {
    get { blocks.count }
    set {
      guard newValue != blocks.count else { return }
      team = newValue > 1 ? ThreadTeam(count: newValue) : nil
      blocks = (0..<(team?.count ?? 1)).map { _ in AtomBlock(weights.layout) }
    }
  }

  /// Of a share: fewer are not worth waking a thread.
  private static var fewestAtoms: Int { 64 }

  private func run(_ phase: Phase, _ job: Job) {
    if job.shareCount > 1, let team {
      self.phase = phase
      team.run(self)
    } else {
      perform(phase, job)
    }
  }

  // Threads enter here: specialisations of their caller do not carry over.
  @_specialize(where L == SIMD8<Float>)
  @_specialize(where L == SIMD4<Double>)
  func perform(share: Int) {
    guard var job, share < job.shareCount else { return }
    if share > 0 {
      (job.share, job.block, job.clock) = (share, blocks[share], nil)
      if case .embed = phase {
        job.block.begin(size: job.blockSize)
        job.block.beginSums(
          like: job.outputs.forces, atomCount: job.edges.atomCount,
          sourceVectors: layerCount > 1 ? sourceVectors : 0)
      }
      job.outputs.forces = job.block.sums
    }
    perform(phase, job)
  }

  private func perform(_ phase: Phase, _ job: Job) {
    let centreCount = job.edges.centreCount
    switch phase {
    case .embed:
      job.clock?.enter(.features)
      forEachBlock(job, job.edges.atomCount) { embed(job, $0) }
    case .there(let layer):
      forEachBlock(job, centreCount) {
        convolve(layer, job, $0)
        activate(layer, job, $0)
        mixInputs(layer + 1, job, $0)
      }
    case .turn:
      let last = layerCount - 1
      if job.goesBack { clearSourceGradients(last, job) }
      forEachBlock(job, centreCount) {
        convolve(last, job, $0)
        activate(last, job, $0)
        readOut(job, $0)
        // At once, while the edges are in cache.
        if job.goesBack { convolveBackward(last, job, $0) }
      }
    case .restoreSources(let layer):
      job.clock?.enter(.featuresBackward)
      forEachBlock(job, knownCount(layer, job)) { restoreSources(layer, job, $0) }
    case .back(let layer):
      clearSourceGradients(layer, job)
      forEachBlock(job, centreCount) { convolveBackward(layer, job, $0) }
    case .gather(let layer):
      job.clock?.enter(.featuresBackward)
      forEachBlock(job, job.edges.atomCount) { gatherSourceGradients(layer, job, $0) }
    case .mixBack(let layer):
      job.clock?.enter(.featuresBackward)
      forEachBlock(job, knownCount(layer, job)) { mixInputsBackward(layer, job, $0) }
    case .gatherForces:
      guard let forces = self.job?.outputs.forces else { return }
      for share in 1..<job.shareCount where job.share == 0 { forces.addVirial(blocks[share].sums) }
      forEachBlock(job, job.edges.atomCount) { atoms in
        for share in 1..<job.shareCount { forces.add(blocks[share].sums, atoms) }
      }
    }
  }

  /// Calls `body` with the blocks of a share.
  @inline(__always)
  private func forEachBlock(_ job: Job, _ count: Int, _ body: (Range<Int>) -> Void) {
    let blocks = (count + job.blockSize - 1) / job.blockSize
    for k in blocks * job.share / job.shareCount..<blocks * (job.share + 1) / job.shareCount {
      body(k * job.blockSize..<min((k + 1) * job.blockSize, count))
    }
  }

  // MARK: Memory of all atoms

  private func reserve(_ job: Job) {
    job.block.begin(size: job.blockSize)
    convolutionBuffer.reserve(job.edges.centreCount * convolutionPlaces[layerCount])
    sourceBuffer.reserve((job.keepsSources ? layerCount + 1 : 2) * job.edges.atomCount * sourceVectors)
  }

  @inline(__always)
  private func sources(_ layer: Int, _ job: Job) -> UnsafeMutablePointer<L> {
    sourceBuffer.pointer + (job.keepsSources ? layer : layer % 2) * job.edges.atomCount * sourceVectors
  }

  /// Where the sources of the layer before were, unless they last.
  @inline(__always)
  private func sourceGradients(_ layer: Int, _ job: Job) -> UnsafeMutablePointer<L> {
    sourceBuffer.pointer + (job.keepsSources ? layerCount : (layer + 1) % 2) * job.edges.atomCount * sourceVectors
  }

  /// The same, of one share: the first one's is that of all.
  @inline(__always)
  private func ownSourceGradients(_ layer: Int, _ job: Job) -> UnsafeMutablePointer<L> {
    job.share == 0 ? sourceGradients(layer, job) : job.block.sourceGradients.pointer
  }

  private func gatherSourceGradients(_ layer: Int, _ job: Job, _ atoms: Range<Int>) {
    let n = layers[layer].featureVectors
    let sum = sourceGradients(layer, job)
    for share in 1..<job.shareCount {
      let other = blocks[share].sourceGradients.pointer
      for k in atoms.lowerBound * n..<atoms.upperBound * n { sum[k] = sum[k] + other[k] }
    }
  }

  @inline(__always)
  private func convolutions(_ layer: Int, _ job: Job) -> UnsafeMutablePointer<L> {
    convolutionBuffer.pointer + convolutionPlaces[layer] * job.edges.centreCount
  }

  // MARK: Atoms

  /// Features of the first layer, which depend on types alone.
  private func embed(_ job: Job, _ atoms: Range<Int>) {
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
  private func knownCount(_ layer: Int, _ job: Job) -> Int { layer == 0 ? job.edges.atomCount : job.edges.centreCount }

  /// Features of the first layer depend on types alone: only the embedding's weights need their gradient.
  private func wantsFeatureGradients(_ layer: Int, _ job: Job) -> Bool { layer > 0 || job.outputs.weights != nil }

  /// From a block's features to what messages carry of them, and to the self-connection, with which the convolution
  /// begins.
  private func mixInputs(_ layer: Int, _ job: Job, _ atoms: Range<Int>) {
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
  private func restoreSources(_ layer: Int, _ job: Job, _ atoms: Range<Int>) {
    if layer == 0 { setEmbedding(job, atoms) } else { activate(layer - 1, job, atoms) }
    makeSources(layer, job, atoms)
  }

  /// From the gradients of a layer's convolutions and of its sources to those of the features, and on to those of the
  /// convolutions before it, or of the embedding.
  private func mixInputsBackward(_ layer: Int, _ job: Job, _ atoms: Range<Int>) {
    let (shape, edges) = (layers[layer], job.edges)
    let (n, c) = (shape.featureVectors, shape.convolutionVectors)
    let gh = sourceGradients(layer, job)
    let gz = convolutions(layer, job)
    let gx = job.block.featureGradients.pointer
    gx.update(repeating: .zero, count: atoms.count * n)
    applyTransposed(shape.linear1, gh + atoms.lowerBound * n, every: n, to: gx, every: n, count: atoms.count)
    forEachRun(ofTypesAmong: atoms.clamped(to: 0..<edges.centreCount), edges) { run, type in
      let target = gx + (run.lowerBound - atoms.lowerBound) * n
      applyTransposed(
        shape.selfConnections(type), gz + run.lowerBound * c, every: c, to: target, every: n, count: run.count)
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
  private func convolve(_ layer: Int, _ job: Job, _ centres: Range<Int>) {
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
  private func convolveBackward(_ layer: Int, _ job: Job, _ centres: Range<Int>) {
    prepareEdges(job, centres)
    job.clock?.enter(.featuresBackward)
    let shape = layers[layer]
    let (m, c) = (shape.messageVectors, shape.convolutionVectors)
    let gz = convolutions(layer, job) + centres.lowerBound * c
    let g = job.block.messageGradients.pointer
    g.update(repeating: .zero, count: centres.count * m)
    applyTransposed(shape.linear2, gz, every: c, to: g, every: m, count: centres.count)
    job.clock?.enter(.messagesBackward)
    sendMessagesBackward(layer, job, to: centres)
  }

  private func activate(_ layer: Int, _ job: Job, _ centres: Range<Int>) {
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
  private func readOut(_ job: Job, _ centres: Range<Int>) {
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

  // MARK: Several domains

  /// Brings the sources of ghosts, which are made where these are centres.
  private func copySourcesToGhosts(_ layer: Int, _ job: Job, _ edges: EdgeList, _ exchange: AtomExchange) {
    let shape = layers[layer]
    let (n, h) = (shape.featureVectors, sources(layer, job))
    exchange.forward(
      edges, width: shape.channels, pack: { pack(shape, h + $0 * n, into: $1) },
      unpack: { unpack(shape, $1, into: h + $0 * n) })
  }

  /// Takes the gradients of ghosts' sources back to where these are centres.
  private func addSourceGradientsOfGhosts(_ layer: Int, _ job: Job, _ edges: EdgeList, _ exchange: AtomExchange) {
    let shape = layers[layer]
    let (n, gh) = (shape.featureVectors, sourceGradients(layer, job))
    exchange.reverse(
      edges, width: shape.channels, pack: { pack(shape, gh + $0 * n, into: $1) },
      unpack: { unpack(shape, $1, into: gh + $0 * n) })
  }

  /// Writes the channels of an atom's sources one after the other, without the padding.
  private func pack(_ shape: PackedLayer<L.Weight>, _ h: UnsafePointer<L>, into values: UnsafeMutablePointer<Double>) {
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

  private func unpack(_ shape: PackedLayer<L.Weight>, _ values: UnsafePointer<Double>, into h: UnsafeMutablePointer<L>)
  {
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
    _ maps: UnsafeBufferPointer<NetworkLayout.Linear>, _ x: UnsafePointer<L>, every xStride: Int,
    to y: UnsafeMutablePointer<L>,
    every yStride: Int, count: Int
  ) {
    for k in 0..<maps.count {
      let map = maps.baseAddress! + k
      ChannelMatrix<L>(
        weights: weights.lanes + map.pointee.matrix.offset, rows: map.pointee.matrix.source.rows,
        rowVectors: map.pointee.matrix.rowVectors, columnVectors: map.pointee.matrix.columnVectors
      ).apply(
        map.pointee.dimension, x + map.pointee.input, every: xStride, addingTo: y + map.pointee.output,
        every: yStride, count: count)
    }
  }

  @inline(__always)
  private func applyTransposed(
    _ maps: UnsafeBufferPointer<NetworkLayout.Linear>, _ gy: UnsafePointer<L>, every yStride: Int,
    to gx: UnsafeMutablePointer<L>,
    every xStride: Int, count: Int
  ) {
    for k in 0..<maps.count {
      let map = maps.baseAddress! + k
      ChannelMatrix<L>(
        weights: weights.lanes + map.pointee.matrix.transposed, rows: map.pointee.matrix.source.columns,
        rowVectors: map.pointee.matrix.columnVectors, columnVectors: map.pointee.matrix.rowVectors
      ).apply(
        map.pointee.dimension, gy + map.pointee.output, every: yStride, addingTo: gx + map.pointee.input,
        every: xStride, count: count)
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

  // MARK: Edges

  /// Geometry and harmonics of a block's edges, unless they are there; of all edges where there are few.
  private func prepareEdges(_ job: Job, _ centres: Range<Int>) {
    let known = job.block.centres
    guard centres.lowerBound < known.lowerBound || known.upperBound < centres.upperBound else { return }
    job.clock?.enter(.geometry)
    let edges = job.edges
    let centres = edges.offsets[edges.centreCount] <= 2048 ? 0..<edges.centreCount : centres
    job.block.centres = centres
    let (begin, end) = (Int(edges.offsets[centres.lowerBound]), Int(edges.offsets[centres.upperBound]))
    let geometry = job.block.geometry.reserve(end - begin)
    let harmonics = job.block.harmonics.reserve((end - begin) * harmonicCount)
    let firstEdges = job.block.firstEdges.reserve(centres.count + 1)
    let (rMax, isExact) = (layout.plan.architecture.rMax, exactRadial != nil)
    let (knotsPerLength, lastKnot) = (1 / weights.spacing, Double(weights.intervals - 1))
    var count = 0
    for i in centres {
      let first = count
      firstEdges[i - centres.lowerBound] = Int32(first)
      // The list may have more edges, where other terms of the potential reach farther.
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.lengths[e] < rMax {
        fill(geometry + count, edges, i, e, job.directions, knotsPerLength, lastKnot)
        if isExact {
          // At the beginning of its own spline.
          geometry[count].knot = Int32((count - first) % EdgeBatch<L>.capacity)
          geometry[count].t = S(0)
        }
        // Here, since a loop of its own would be vectorised across edges, and scatter.
        let edge = geometry[count]
        SphericalHarmonics.evaluate(lMax, edge.x, edge.y, edge.z, into: harmonics + count &* harmonicCount)
        count += 1
      }
    }
    firstEdges[centres.count] = Int32(count)
  }

  @inline(__always)
  private func fill(
    _ geometry: UnsafeMutablePointer<EdgeGeometry<S>>, _ edges: EdgePointers, _ i: Int, _ e: Int,
    _ directions: UnsafePointer<SIMD3<Double>>?, _ knotsPerLength: Double, _ lastKnot: Double
  ) {
    let (length, vector) = (edges.lengths[e], edges.vectors[e])
    let inverse = 1 / length
    let u = SIMD3(vector.x * inverse, vector.y * inverse, vector.z * inverse)
    let seen = seenLength(edges, i, e)
    // The place between knots loses digits in single precision, so it is found in double.
    let place = seen.distance * knotsPerLength
    let knot = min(place.rounded(.down), lastKnot)
    var (tangent, along) = (SIMD3<Double>.zero, 0.0)
    if let directions {
      along = dot(u, directions[e])
      tangent = (directions[e] - along * u) * inverse
    }
    geometry.pointee = EdgeGeometry(
      edge: Int32(truncatingIfNeeded: e), neighbour: edges.neighbours[e],
      x: S(u.x, tangent: tangent.x), y: S(u.y, tangent: tangent.y), z: S(u.z, tangent: tangent.z),
      inverseLength: S(inverse, tangent: -along * inverse * inverse), knot: Int32(knot),
      t: S(place - knot, tangent: along * seen.slope * knotsPerLength))
  }

  /// The length of edge e of centre i as radial functions see it.
  @inline(__always)
  private func seenLength(_ edges: EdgePointers, _ i: Int, _ e: Int) -> DistanceFloor.Seen {
    floor.seen(Int(edges.types[i]), Int(edges.types[Int(edges.neighbours[e])]), at: edges.lengths[e])
  }

  /// Calls `body` with all edges of a centre of the block, batch by batch.
  @inline(__always)
  private func forEachBatch(_ layer: Int, _ job: Job, _ i: Int, _ body: (EdgeBatch<L>) -> Void) {
    let shape = layers[layer]
    let (firstEdges, geometry) = (job.block.firstEdges.pointer, job.block.geometry.pointer)
    let (harmonics, sources) = (job.block.harmonics.pointer, sources(layer, job))
    let place = i - job.block.centres.lowerBound
    var first = Int(firstEdges[place])
    let end = Int(firstEdges[place + 1])
    while first < end {
      let count = min(EdgeBatch<L>.capacity, end - first)
      let batch = EdgeBatch<L>(
        edges: geometry + first, count: count, harmonics: harmonics + first * harmonicCount,
        harmonicCount: harmonicCount, splines: shape.table, radialVectors: shape.radialVectors,
        sources: sources, sourceVectors: shape.featureVectors)
      body(exactRadial == nil ? batch : withExactSplines(layer, job, i, batch))
      first += count
    }
  }

  /// The same batch with splines of its own, one for each edge, which begin with the radial networks' values and slopes.
  private func withExactSplines(_ layer: Int, _ job: Job, _ i: Int, _ batch: EdgeBatch<L>) -> EdgeBatch<L> {
    var batch = batch
    let network = exactRadial![layer]
    let values = job.block.radialValues.reserve(network.columns)
    let scratch = job.block.radialScratch.reserve(network.scratchCount)
    let splines = job.block.exactSplines.reserve(4 * batch.count * batch.radialVectors)
    splines.update(repeating: .zero, count: 4 * batch.count * batch.radialVectors)
    for e in 0..<batch.count {
      let length = seenLength(job.edges, i, Int(batch.edges[e].edge)).distance
      network.evaluate(Dual(length, 1), into: values, scratch: scratch)
      for path in layers[layer].paths {
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
  private func sendMessages(_ layer: Int, _ job: Job, to centres: Range<Int>) {
    let shape = layers[layer]
    let m = shape.messageVectors
    let messages = job.block.messages(layer)
    let (paths, pathCount) = (shape.paths.baseAddress!, shape.paths.count)
    for i in centres {
      let a = messages + (i - centres.lowerBound) * m
      a.update(repeating: .zero, count: m)
      forEachBatch(layer, job, i) { batch in
        let kernel = Multiplication(batch: batch, coefficients: weights.couplings, a: a)
        for k in 0..<pathCount { kernel.run(paths + k) }
      }
    }
  }

  /// Of the sources, to which every edge adds.
  private func clearSourceGradients(_ layer: Int, _ job: Job) {
    guard wantsFeatureGradients(layer, job) else { return }
    let count = job.edges.atomCount * layers[layer].featureVectors
    ownSourceGradients(layer, job).update(repeating: .zero, count: count)
  }

  /// Gradients of the neighbours' sources, of the edges, and of the radial tables.
  private func sendMessagesBackward(_ layer: Int, _ job: Job, to centres: Range<Int>) {
    let (shape, outputs) = (layers[layer], job.outputs)
    let m = shape.messageVectors
    let gh = ownSourceGradients(layer, job)
    let messageGradients = job.block.messageGradients.pointer
    let gEdge = job.block.edgeGradients.pointer
    let wantsEdges = outputs.forces != nil || outputs.forceTangents != nil
    let wantsScalars = wantsFeatureGradients(layer, job)
    let (paths, pathCount) = (shape.paths.baseAddress!, shape.paths.count)
    for i in centres {
      let g = messageGradients + (i - centres.lowerBound) * m
      forEachBatch(layer, job, i) { batch in
        gEdge.update(repeating: .zero, count: batch.count &* harmonicCount)
        let kernel = MultiplicationPullBack(
          batch: batch, g: g, coefficients: weights.couplings, gx: gh, gEdge: gEdge,
          gSplines: outputs.weights?.tables[layer], wantsScalars: wantsScalars)
        for k in 0..<pathCount { kernel.run(paths + k) }
        if wantsEdges { addForces(i, job, batch, gEdge) }
      }
    }
  }

  /// From the gradients of harmonics and lengths, for each channel, to those of the edge vectors.
  @inline(__always)
  private func addForces(_ centre: Int, _ job: Job, _ batch: EdgeBatch<L>, _ gEdge: UnsafePointer<L>) {
    let knotsPerLength = S(1 / weights.spacing)
    withUnsafeTemporaryAllocation(of: S.self, capacity: 16) { sums in
      let sums = sums.baseAddress!
      var (force, tangent) = (SIMD3<Double>.zero, SIMD3<Double>.zero)
      for e in 0..<batch.count {
        let edge = batch.edges[e]
        L.sum(gEdge + e &* harmonicCount, harmonicCount, into: sums)
        let along = sums[0] * knotsPerLength * seenSlope(job, centre, Int(edge.edge))
        let angular = SphericalHarmonics.pullBack(
          lMax, edge.x, edge.y, edge.z, batch.harmonics + e &* harmonicCount, sums, inverseLength: edge.inverseLength)
        let (x, y, z) = (angular.0 + along * edge.x, angular.1 + along * edge.y, angular.2 + along * edge.z)
        let vector = job.edges.vectors[Int(edge.edge)]
        if let forces = job.outputs.forces {
          let gradient = SIMD3(x.primal, y.primal, z.primal)
          force += gradient
          forces.add(gradient, vector, from: centre, to: Int(edge.neighbour))
        }
        if let forces = job.outputs.forceTangents {
          let gradient = SIMD3(x.derivative, y.derivative, z.derivative)
          tangent += gradient
          forces.add(gradient, vector, from: centre, to: Int(edge.neighbour))
        }
      }
      job.outputs.forces?.addForce(force, toCentre: centre)
      job.outputs.forceTangents?.addForce(tangent, toCentre: centre)
    }
  }

  /// The derivative of the length that radial functions see with respect to the real one.
  @inline(__always)
  private func seenSlope(_ job: Job, _ centre: Int, _ e: Int) -> S {
    guard job.edges.lengths[e] < floor.reach else { return S(1) }
    let seen = seenLength(job.edges, centre, e)
    let along = job.directions.map { dot(job.edges.vectors[e], $0[e]) / job.edges.lengths[e] } ?? 0
    return S(seen.slope, tangent: seen.curvature * along)
  }
}
