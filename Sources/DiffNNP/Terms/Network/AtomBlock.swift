/// Intermediate results of a block of atoms on its way through a layer. Buffers only grow.
final class AtomBlock<L: Lanes> {
  private let layerCount: Int
  private let featureVectors: Int
  private let messageVectors: Int
  private var featureBuffer = Buffer<L>()
  private var messageBuffer = Buffer<L>()
  private var featureStride = 0
  private var messageStride = 0
  var featureGradients = Buffer<L>()
  var messageGradients = Buffer<L>()

  /// The centres whose edges are in `geometry` and `harmonics`.
  var centres = 0..<0
  var geometry = Buffer<EdgeGeometry<L.Scalar>>()
  /// Edges of the k-th centre are firstEdges[k]..<firstEdges[k + 1].
  var firstEdges = Buffer<Int32>()
  var harmonics = Buffer<L.Scalar>()

  // What a thread but the first sums for all atoms.
  var sourceGradients = Buffer<L>()
  var ownSums = OwnForceSums()

  // Results for one batch of edges.
  var sourcePlaces = Buffer<Int>()
  var edgeGradients = Buffer<L>()
  var exactSplines = Buffer<L.Weight>()
  var radialValues = Buffer<Dual<Double>>()
  var radialScratch = Buffer<Dual<Double>>()

  init(_ layout: NetworkLayout) {
    layerCount = layout.layers.count
    featureVectors = max(layout.widestFeatureVectors, layout.readoutVectors)
    messageVectors = layout.widestMessageVectors
    sourcePlaces.reserveOrEnd(EdgeBatch<L>.capacity)
    // Sums over channels go by fours.
    edgeGradients.reserveOrEnd(EdgeBatch<L>.capacity * SphericalHarmonics.count(layout.plan.architecture.lMax) + 3)
  }

  /// Makes room for blocks of `size` atoms, and forgets the edges of the last block.
  func begin(size: Int) throws {
    (featureStride, messageStride) = (size * featureVectors, size * messageVectors)
    try featureBuffer.reserve((layerCount + 1) * featureStride)
    try messageBuffer.reserve(layerCount * messageStride)
    try featureGradients.reserve(featureStride)
    try messageGradients.reserve(messageStride)
    centres = 0..<0
  }

  /// Makes room for geometry and harmonics of edges.
  /// - Parameter centres: how many there may be.
  func reserve(edges: Int, harmonicCount: Int, centres: Int) throws {
    try geometry.reserve(edges)
    try harmonics.reserve(edges * harmonicCount)
    try firstEdges.reserve(centres + 1)
  }

  /// Features that enter a layer; behind the last, those for the readout.
  @inline(__always)
  func features(_ layer: Int) -> UnsafeMutablePointer<L> {
    assert(featureBuffer.holds((layer + 1) * featureStride))
    return featureBuffer.pointer + layer * featureStride
  }

  /// Sums over edges of a layer.
  @inline(__always)
  func messages(_ layer: Int) -> UnsafeMutablePointer<L> {
    assert(messageBuffer.holds((layer + 1) * messageStride))
    return messageBuffer.pointer + layer * messageStride
  }
}
