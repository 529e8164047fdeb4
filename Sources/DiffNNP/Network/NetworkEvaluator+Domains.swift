/// What several domains tell each other about the atoms at their borders.
extension NetworkEvaluator {
  /// Brings the sources of ghosts, which are made where these are centres.
  func copySourcesToGhosts(_ layer: Int, _ job: Job, _ edges: EdgeList, _ exchange: AtomExchange) {
    let shape = layers[layer]
    let (n, h) = (shape.featureVectors, sources(layer, job))
    exchange.forward(
      edges, width: shape.channels, pack: { pack(shape, h + $0 * n, into: $1) },
      unpack: { unpack(shape, $1, into: h + $0 * n) })
  }

  /// Takes the gradients of ghosts' sources back to where these are centres.
  func addSourceGradientsOfGhosts(_ layer: Int, _ job: Job, _ edges: EdgeList, _ exchange: AtomExchange) {
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
}
