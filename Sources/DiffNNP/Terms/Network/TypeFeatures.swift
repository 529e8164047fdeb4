/// What enters the first layer, of each type. Buffers only grow.
struct TypeFeatures<L: Lanes>: ~Copyable {
  /// [type][featureVectors]
  private(set) var features = Buffer<L>()
  /// Features as messages carry them [type][featureVectors].
  private(set) var sources = Buffer<L>()
  /// What convolutions begin with [type][convolutionVectors].
  private(set) var convolutions = Buffer<L>()
  /// [type][featureVectors]
  private(set) var sourceGradients = Buffer<L>()

  mutating func reserve(typeCount: Int, featureVectors: Int, convolutionVectors: Int) throws {
    try features.reserve(typeCount * featureVectors)
    try sourceGradients.reserve(typeCount * featureVectors)
    try sources.reserve(typeCount * featureVectors)
    try convolutions.reserve(typeCount * convolutionVectors)
  }

  /// Clears what is summed up; there must be room.
  mutating func begin(typeCount: Int, featureVectors: Int, convolutionVectors: Int) {
    sources.pointer.update(repeating: .zero, count: typeCount * featureVectors)
    convolutions.pointer.update(repeating: .zero, count: typeCount * convolutionVectors)
  }
}
