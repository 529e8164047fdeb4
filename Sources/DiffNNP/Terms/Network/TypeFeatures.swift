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

  mutating func begin(typeCount: Int, featureVectors: Int, convolutionVectors: Int) {
    let (n, c) = (typeCount * featureVectors, typeCount * convolutionVectors)
    features.reserve(n)
    sourceGradients.reserve(n)
    sources.reserve(n).update(repeating: .zero, count: n)
    convolutions.reserve(c).update(repeating: .zero, count: c)
  }
}
