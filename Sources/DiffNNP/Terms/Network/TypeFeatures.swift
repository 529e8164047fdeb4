/// Features of each type before the first layer, which depend on types alone. Buffers only grow.
struct TypeFeatures<L: Lanes>: ~Copyable {
  /// Features [type][featureVectors].
  private(set) var features = Buffer<L>()
  /// Sources: features after linear_1, which messages carry [type][featureVectors].
  private(set) var sources = Buffer<L>()
  /// Self-connections, with which convolutions begin [type][convolutionVectors].
  private(set) var convolutions = Buffer<L>()
  /// Gradients with respect to the sources [type][featureVectors].
  private(set) var sourceGradients = Buffer<L>()

  mutating func reserve(typeCount: Int, featureVectors: Int, convolutionVectors: Int) throws {
    try features.reserve(typeCount * featureVectors)
    try sourceGradients.reserve(typeCount * featureVectors)
    try sources.reserve(typeCount * featureVectors)
    try convolutions.reserve(typeCount * convolutionVectors)
  }

  /// Clears what is summed up; there must be room.
  mutating func begin(typeCount: Int, featureVectors: Int, convolutionVectors: Int) {
    assert(sources.holds(typeCount * featureVectors) && convolutions.holds(typeCount * convolutionVectors))
    sources.pointer.update(repeating: .zero, count: typeCount * featureVectors)
    convolutions.pointer.update(repeating: .zero, count: typeCount * convolutionVectors)
  }
}
