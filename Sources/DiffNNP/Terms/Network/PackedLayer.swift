/// A layer of a layout by pointers alone, so that evaluating it counts no references. Belongs to `PackedWeights`.
struct PackedLayer<W: PlainLanes> {
  let featureVectors: Int
  let messageVectors: Int
  let convolutionVectors: Int
  let outputVectors: Int
  let radialVectors: Int
  let channels: Int
  let linear1: UnsafeBufferPointer<NetworkLayout.Linear>
  let linear2: UnsafeBufferPointer<NetworkLayout.Linear>
  let paths: UnsafeBufferPointer<NetworkLayout.Path>
  let gates: UnsafeBufferPointer<NetworkLayout.Gate>
  /// Splines of the radial weights.
  let table: UnsafePointer<W>
  /// [type][…]
  private let allSelfConnections: UnsafeBufferPointer<NetworkLayout.Linear>
  private let selfConnectionCount: Int

  init(_ layer: NetworkLayout.Layer, table: UnsafePointer<W>) {
    featureVectors = layer.featureVectors
    messageVectors = layer.messageVectors
    convolutionVectors = layer.convolutionVectors
    outputVectors = layer.outputVectors
    radialVectors = layer.radialVectors
    channels = layer.channels
    linear1 = Self.copy(layer.linear1)
    linear2 = Self.copy(layer.linear2)
    paths = Self.copy(layer.paths)
    gates = Self.copy(layer.gates)
    self.table = table
    // As many for each type.
    allSelfConnections = Self.copy(layer.selfConnections.flatMap { $0 })
    selfConnectionCount = layer.selfConnections.first?.count ?? 0
  }

  /// The linear maps of the self-connections of atoms of a type.
  @inline(__always)
  func selfConnections(_ type: Int) -> UnsafeBufferPointer<NetworkLayout.Linear> {
    assert(type >= 0 && (type + 1) * selfConnectionCount <= allSelfConnections.count)
    let first = type * selfConnectionCount
    return UnsafeBufferPointer(rebasing: allSelfConnections[first..<first + selfConnectionCount])
  }

  func deallocate() {
    linear1.deallocate()
    linear2.deallocate()
    paths.deallocate()
    gates.deallocate()
    allSelfConnections.deallocate()
  }

  private static func copy<Element>(_ array: [Element]) -> UnsafeBufferPointer<Element> {
    let copy = UnsafeMutableBufferPointer<Element>.allocate(capacity: array.count)
    _ = copy.initialize(from: array)
    return UnsafeBufferPointer(copy)
  }
}
