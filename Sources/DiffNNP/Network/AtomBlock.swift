/// What a block of atoms needs on its way through a layer, and nobody afterwards. Buffers only grow.
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
  private(set) var sums = ForceSums()
  private var sumBuffer = Buffer<Double>()

  // Of one batch of edges.
  var edgeGradients = Buffer<L>()
  var exactSplines = Buffer<L.Weight>()
  var radialValues = Buffer<Dual<Double>>()
  var radialScratch = Buffer<Dual<Double>>()

  init(_ layout: NetworkLayout) {
    layerCount = layout.layers.count
    featureVectors = max(layout.widestFeatureVectors, layout.readoutVectors)
    messageVectors = layout.widestMessageVectors
    // Sums over channels go by fours.
    edgeGradients.reserve(EdgeBatch<L>.capacity * SphericalHarmonics.count(layout.plan.architecture.lMax) + 3)
  }

  /// Makes room for blocks of so many atoms, and forgets the edges that were there.
  func begin(size: Int) {
    (featureStride, messageStride) = (size * featureVectors, size * messageVectors)
    featureBuffer.reserve((layerCount + 1) * featureStride)
    messageBuffer.reserve(layerCount * messageStride)
    featureGradients.reserve(featureStride)
    messageGradients.reserve(messageStride)
    centres = 0..<0
  }

  /// Features that enter a layer; behind the last, those for the readout.
  @inline(__always)
  func features(_ layer: Int) -> UnsafeMutablePointer<L> { featureBuffer.pointer + layer * featureStride }

  /// Sums over edges of a layer.
  @inline(__always)
  func messages(_ layer: Int) -> UnsafeMutablePointer<L> { messageBuffer.pointer + layer * messageStride }

  /// Makes room for sums over edges to all atoms, of forces and virials as far as they are wanted, and clears the latter.
  func beginSums(like wanted: ForceSums?, atomCount: Int, sourceVectors: Int) {
    sourceGradients.reserve(atomCount * sourceVectors)
    guard let wanted else { return }
    var place = sumBuffer.reserve(6 + 18 * atomCount)
    func take(_ isWanted: Bool, _ count: Int) -> UnsafeMutablePointer<Double>? {
      defer { if isWanted { place += count } }
      return isWanted ? place : nil
    }
    sums = ForceSums(
      forces: take(wanted.forces != nil, 3 * atomCount), virial: take(wanted.virial != nil, 6),
      atomVirials: take(wanted.atomVirials != nil, 6 * atomCount),
      centroidVirials: take(wanted.centroidVirials != nil, 9 * atomCount), folding: wanted.folding)
    sums.clear(atomCount: atomCount)
  }
}
