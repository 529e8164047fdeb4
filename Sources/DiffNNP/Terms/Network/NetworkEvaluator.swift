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
    /// Forces and virials of the energies times `scale`.
    var forces: ForceSums?
    /// The tangents of `forces`: with dual numbers, minus the Hessian times the direction.
    var forceTangents: ForceSums?
    var weights: WeightGradient<L.Weight>?
    var scale = 1.0
  }

  /// The arguments of one call, for one thread.
  struct Job {
    /// Index of the thread's share of the work, and the number of shares.
    var share = 0
    var shareCount: Int
    var block: AtomBlock<L>
    var clock: StageClock?
    var edges: EdgePointers
    var directions: UnsafePointer<SIMD3<Double>>?
    var outputs: Outputs
    /// Number of atoms that go through a layer together: few, so that their intermediate results stay in cache; or all,
    /// where the gradient of weights needs these once more.
    var blockSize: Int
    /// Whether the sources of all layers are kept. Otherwise they are computed again on the way back, which costs
    /// little, and two layers use the same memory as their gradients. Those of ghosts cannot be computed here.
    var keepsSources: Bool
    /// Whether gradients are wanted. With `exchange` the other domains wait for the way back.
    var goesBack: Bool
  }

  /// The work that all threads do before they wait for each other.
  private enum Phase {
    /// Memory of all threads but the first.
    case begin
    /// A layer, up to what the next one needs.
    case there(Int)
    /// The last layer, there and back.
    case turn
    case restoreSources(Int)
    case back(Int)
    /// Sums of the shares' gradients of sources.
    case gather(Int)
    case mixBack(Int)
    /// The backward pass from the gradients of the second layer's sources to the end.
    case mixBackAndFinish
    /// Sums of the shares' forces.
    case gatherForces
  }

  /// Up to this number, all edges are prepared at once.
  static var fewEdges: Int { 2048 }

  var clock: StageClock?
  let layout: NetworkLayout
  let weights: PackedWeights<L.Weight>
  /// Radial networks evaluated at each edge instead of the tables, where exact numbers are wanted.
  let exactRadial: [RadialNetwork<Dual<Double>>]?
  let lMax: Int
  let harmonicCount: Int
  let floor: DistanceFloor

  let layers: UnsafePointer<PackedLayer<L.Weight>>
  let layerCount: Int

  // Memory of all atoms. What enters the activations of each layer is kept until its gradient replaces it.
  private var convolutionBuffer = Buffer<L>()
  /// Vectors of an atom before those of each layer.
  private let convolutionPlaces: UnsafeMutablePointer<Int>
  /// Features as messages carry them, and gradients with respect to these: see `sources`.
  private var sourceBuffer = Buffer<L>()
  /// What enters the first layer, which depends on types alone.
  var typeFeatures = TypeFeatures<L>()
  let sourceVectors: Int
  /// Intermediate results of a block, for each thread.
  private var blocks: [AtomBlock<L>]
  var job: Job?
  /// The edge lists of the shares; not in the job, whose copies would count references.
  private var edges: KeptEdges?
  private var phase = Phase.begin

  init(_ weights: PackedWeights<L.Weight>, exactRadial: [RadialNetwork<Dual<Double>>]? = nil) {
    assert(weights.layout.width == L.width)
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

  // MARK: All layers

  /// Computes what `outputs` asks for. The specialisations carry over to all that is called from here.
  /// - Parameters:
  ///   - edges: without `exchange`, all atoms are centres: layers after the first need the features of every neighbour.
  ///   - exchange: brings the features of atoms that are centres in other domains.
  ///   - directions: tangents of the edge vectors (Å), for dual lanes.
  /// - Throws: `OutOfMemory`, before anything travels through `exchange`.
  @_specialize(where L == SIMD8<Float>)
  @_specialize(where L == SIMD16<Float>)
  @_specialize(where L == SIMD4<Double>)
  @_specialize(where L == DualLanes<SIMD8<Float>>)
  @_specialize(where L == DualLanes<SIMD4<Double>>)
  func evaluate(
    _ edges: KeptEdges, exchange: AtomExchange? = nil, directions: UnsafePointer<SIMD3<Double>>? = nil,
    into outputs: Outputs
  ) throws {
    assert(
      layerCount == 1 || exchange != nil || edges.centreCount == edges.atomCount,
      "\(edges.centreCount) of \(edges.atomCount) atoms are centres, and nothing brings the features of the others")
    let isTraining = outputs.weights != nil || outputs.forceTangents != nil
    let job = Job(
      shareCount: isTraining ? 1 : Shares.count(atoms: edges.centreCount, threads: blocks.count), block: blocks[0],
      clock: clock, edges: EdgePointers(edges.list(ofShare: 0)), directions: directions, outputs: outputs,
      blockSize: outputs.weights == nil ? Shares.blockSize : max(1, edges.atomCount),
      keepsSources: outputs.weights != nil || exchange != nil,
      goesBack: isTraining || outputs.forces != nil || exchange != nil)
    try reserve(job, edges)
    (self.job, self.edges) = (job, edges)
    embed(job)
    let last = layerCount - 1
    run(.begin, job)
    for layer in 0..<last {
      run(.there(layer), job)
      if let exchange { copySourcesToGhosts(layer + 1, job, exchange) }
    }
    run(.turn, job)
    if job.goesBack { goBack(job, exchange) }
    (self.job, self.edges) = (nil, nil)
    clock?.enter(nil)
  }

  /// The backward pass from the gradients of the last layer's sources to the end.
  private func goBack(_ job: Job, _ exchange: AtomExchange?) {
    for layer in (1..<layerCount).reversed() {
      if layer < layerCount - 1 {
        if !job.keepsSources { run(.restoreSources(layer), job) }
        run(.back(layer), job)
      }
      if job.shareCount > 1 { run(.gather(layer), job) }
      if let exchange { addSourceGradientsOfGhosts(layer, job, exchange) }
      run(layer > 1 ? .mixBack(layer) : .mixBackAndFinish, job)
    }
    if let gradient = job.outputs.weights { embedBackward(job, gradient) }
    if job.shareCount > 1 { run(.gatherForces, job) }
  }

  // MARK: Threads

  /// Threads that compute one call together, as long as each has some atoms. Sums over threads are made in their order,
  /// so that results depend on the number of threads to rounding alone, and energies not at all.
  var team: ThreadTeam? {
    didSet { blocks = (0..<(team?.count ?? 1)).map { _ in AtomBlock(weights.layout) } }
  }

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
  @_specialize(where L == SIMD16<Float>)
  @_specialize(where L == SIMD4<Double>)
  func perform(share: Int) {
    guard var job, share < job.shareCount else { return }
    if share > 0 {
      (job.share, job.block, job.clock) = (share, blocks[share], nil)
      if let edges { job.edges = EdgePointers(edges.list(ofShare: share)) }
      if case .begin = phase {
        // Here, so that the memory is near the thread that uses it.
        if let forces = job.outputs.forces {
          job.block.ownSums.beginReserved(like: forces, atomCount: job.edges.atomCount)
        }
      }
      if job.outputs.forces != nil { job.outputs.forces = job.block.ownSums.sums }
    }
    perform(phase, job)
  }

  private func perform(_ phase: Phase, _ job: Job) {
    let centreCount = job.edges.centreCount
    switch phase {
    case .begin: break
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
      forEachBlock(job, centreCount) { restoreSources(layer, job, $0) }
    case .back(let layer):
      clearSourceGradients(layer, job)
      forEachBlock(job, centreCount) { convolveBackward(layer, job, $0) }
    case .gather(let layer):
      job.clock?.enter(.featuresBackward)
      forEachBlock(job, job.edges.atomCount) { gatherSourceGradients(layer, job, $0) }
    case .mixBack(let layer):
      job.clock?.enter(.featuresBackward)
      forEachBlock(job, centreCount) { mixInputsBackward(layer, job, $0) }
    case .mixBackAndFinish:
      clearSourceGradients(0, job)
      forEachBlock(job, centreCount) {
        job.clock?.enter(.featuresBackward)
        mixInputsBackward(1, job, $0)
        // At once, while the gradients of the convolutions are in cache.
        convolveBackward(0, job, $0)
      }
    case .gatherForces:
      guard let forces = self.job?.outputs.forces else { return }
      for share in 1..<job.shareCount where job.share == 0 { forces.addVirial(blocks[share].ownSums.sums) }
      forEachBlock(job, job.edges.atomCount) { atoms in
        for share in 1..<job.shareCount { forces.add(blocks[share].ownSums.sums, atoms) }
      }
    }
  }

  /// Calls `body` with the blocks of a share.
  @inline(__always)
  private func forEachBlock(_ job: Job, _ count: Int, _ body: (Range<Int>) -> Void) {
    let own = Shares.centres(count, ofShare: job.share, among: job.shareCount)
    for first in stride(from: own.lowerBound, to: own.upperBound, by: job.blockSize) {
      body(first..<min(first + job.blockSize, own.upperBound))
    }
  }

  // MARK: Memory of all atoms

  /// Makes room for all that a call needs, so that nothing fails later, when threads or other domains wait.
  private func reserve(_ job: Job, _ edges: KeptEdges) throws {
    for share in 0..<job.shareCount {
      try reserve(job, blocks[share], EdgePointers(edges.list(ofShare: share)), share: share)
    }
    try convolutionBuffer.reserve(job.edges.centreCount * convolutionPlaces[layerCount])
    let count = layerCount == 1 ? 0 : job.keepsSources ? layerCount : 2
    try sourceBuffer.reserve(count * job.edges.atomCount * sourceVectors)
    try typeFeatures.reserve(
      typeCount: weights.scales.count, featureVectors: layers[0].featureVectors,
      convolutionVectors: layers[0].convolutionVectors)
  }

  private func reserve(_ job: Job, _ block: AtomBlock<L>, _ edges: EdgePointers, share: Int) throws {
    edges.assertSound(for: edges.centres, typeCount: weights.scales.count)
    try block.begin(size: job.blockSize)
    try block.reserve(edges: mostEdgesOfBlock(job, edges), harmonicCount: harmonicCount, centres: edges.centres.count)
    if let exactRadial {
      try block.radialValues.reserve(exactRadial.reduce(0) { max($0, $1.columns) })
      try block.radialScratch.reserve(exactRadial.reduce(0) { max($0, $1.scratchCount) })
      let vectors = (0..<layerCount).reduce(0) { max($0, layers[$1].radialVectors) }
      try block.exactSplines.reserve(4 * EdgeBatch<L>.capacity * vectors)
    }
    guard share > 0 else { return }
    if layerCount > 1 { try block.sourceGradients.reserve(edges.atomCount * sourceVectors) }
    if job.outputs.forces != nil { try block.ownSums.reserve(atomCount: edges.atomCount) }
  }

  /// The most edges that are prepared at once.
  private func mostEdgesOfBlock(_ job: Job, _ edges: EdgePointers) -> Int {
    guard edges.count > Self.fewEdges else { return edges.count }
    var most = 0
    for first in stride(from: edges.centres.lowerBound, to: edges.centres.upperBound, by: job.blockSize) {
      let end = min(first + job.blockSize, edges.centres.upperBound)
      most = max(most, Int(edges.offsets[end] - edges.offsets[first]))
    }
    return most
  }

  /// The sources of a layer: those of types in the first layer [type][featureVectors], of atoms in the others
  /// [atomCount][featureVectors].
  @inline(__always)
  func sources(_ layer: Int, _ job: Job) -> UnsafeMutablePointer<L> {
    if layer == 0 { return typeFeatures.sources.pointer }
    return sourceBuffer.pointer + (job.keepsSources ? layer - 1 : layer % 2) * job.edges.atomCount * sourceVectors
  }

  /// Gradients with respect to the sources of a layer, in the memory of the sources of the layer before, unless these
  /// are kept.
  @inline(__always)
  func sourceGradients(_ layer: Int, _ job: Job) -> UnsafeMutablePointer<L> {
    if layer == 0 { return typeFeatures.sourceGradients.pointer }
    return sourceBuffer.pointer
      + (job.keepsSources ? layerCount - 1 : (layer + 1) % 2) * job.edges.atomCount * sourceVectors
  }

  /// Gradients with respect to the sources of a layer, summed over the edges of one share; those of the first share are
  /// in the memory of the total.
  @inline(__always)
  func ownSourceGradients(_ layer: Int, _ job: Job) -> UnsafeMutablePointer<L> {
    job.share == 0 || layer == 0 ? sourceGradients(layer, job) : job.block.sourceGradients.pointer
  }

  private func gatherSourceGradients(_ layer: Int, _ job: Job, _ atoms: Range<Int>) {
    let n = layers[layer].featureVectors
    let sum = sourceGradients(layer, job)
    assert((1..<job.shareCount).allSatisfy { blocks[$0].sourceGradients.holds(atoms.upperBound * n) })
    for share in 1..<job.shareCount {
      let other = blocks[share].sourceGradients.pointer
      for k in atoms.lowerBound * n..<atoms.upperBound * n { sum[k] = sum[k] + other[k] }
    }
  }

  @inline(__always)
  func convolutions(_ layer: Int, _ job: Job) -> UnsafeMutablePointer<L> {
    convolutionBuffer.pointer + convolutionPlaces[layer] * job.edges.centreCount
  }
}
