/// What a block of atoms needs on its way through a layer, and nobody afterwards. Buffers only grow.
final class AtomBlock<L: Lanes> {
  /// Features that enter each layer, and behind them those for the readout.
  var features: [Buffer<L>]
  /// Sums over edges of each layer.
  var messages: [Buffer<L>]
  var featureGradients = Buffer<L>()
  var messageGradients = Buffer<L>()

  /// The centres whose edges are in `geometry` and `harmonics`.
  var centres = 0..<0
  var geometry = Buffer<EdgeGeometry<L.Scalar>>()
  /// Edges of the k-th centre are firstEdges[k]..<firstEdges[k + 1].
  var firstEdges = Buffer<Int32>()
  var harmonics = Buffer<L.Scalar>()

  // Of one batch of edges.
  var edgeGradients = Buffer<L>()
  var exactSplines = Buffer<L.Weight>()
  var radialValues = Buffer<Dual<Double>>()
  var radialScratch = Buffer<Dual<Double>>()

  init(layerCount: Int) {
    features = Array(repeating: Buffer(), count: layerCount + 1)
    messages = Array(repeating: Buffer(), count: layerCount)
  }

  /// Forgets the edges that were there.
  func begin() { centres = 0..<0 }
}
