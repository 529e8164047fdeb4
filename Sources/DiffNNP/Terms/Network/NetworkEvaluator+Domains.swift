/// Exchange of features of the atoms at the borders of domains.
extension NetworkEvaluator {
  /// Copies the sources of ghosts from the domains where these atoms are centres.
  func copySourcesToGhosts(_ layer: Int, _ job: Job, _ exchange: AtomExchange) {
    switch exchange.precision {
    case .single: copyToGhosts(Float.self, layer, sources(layer, job), job.edges, exchange)
    case .double: copyToGhosts(Double.self, layer, sources(layer, job), job.edges, exchange)
    }
  }

  /// Adds the gradients of ghosts' sources to those of the atoms in the domains where they are centres.
  func addSourceGradientsOfGhosts(_ layer: Int, _ job: Job, _ exchange: AtomExchange) {
    switch exchange.precision {
    case .single: addThoseOfGhosts(Float.self, layer, sourceGradients(layer, job), job.edges, exchange)
    case .double: addThoseOfGhosts(Double.self, layer, sourceGradients(layer, job), job.edges, exchange)
    }
  }

  private func copyToGhosts<Value: BinaryFloatingPoint>(
    _ type: Value.Type, _ layer: Int, _ h: UnsafeMutablePointer<L>, _ edges: EdgePointers, _ exchange: AtomExchange
  ) {
    let shape = layers[layer]
    let n = shape.featureVectors
    exchange.forward(
      edges, width: shape.channels, inPlace: inPlace(type, shape, h), pack: { pack(shape, h + $0 * n, into: $1) },
      unpack: { unpack(shape, $1, into: h + $0 * n) })
  }

  private func addThoseOfGhosts<Value: BinaryFloatingPoint>(
    _ type: Value.Type, _ layer: Int, _ gh: UnsafeMutablePointer<L>, _ edges: EdgePointers, _ exchange: AtomExchange
  ) {
    let shape = layers[layer]
    let n = shape.featureVectors
    exchange.reverse(
      edges, width: shape.channels, inPlace: inPlace(type, shape, gh), pack: { pack(shape, gh + $0 * n, into: $1) },
      unpack: { unpack(shape, $1, into: gh + $0 * n) })
  }

  /// Features as numbers one after the other, in the order in which `pack` writes them; nil where they are of another
  /// type, or where lanes are padded.
  private func inPlace<Value>(
    _ type: Value.Type, _ shape: PackedLayer<L.Weight>, _ h: UnsafeMutablePointer<L>
  ) -> UnsafeMutablePointer<Value>? {
    guard type == L.Scalar.self, shape.channels == shape.featureVectors * L.width else { return nil }
    return UnsafeMutableRawPointer(h).assumingMemoryBound(to: type)
  }

  /// Writes the channels of an atom's sources one after the other, without the padding.
  private func pack<Value: BinaryFloatingPoint>(
    _ shape: PackedLayer<L.Weight>, _ h: UnsafePointer<L>, into values: UnsafeMutablePointer<Value>
  ) {
    var k = 0
    for map in shape.linear1 {
      for d in 0..<map.dimension {
        for u in 0..<map.matrix.source.columns {
          values[k] = Value(L.load(h + map.output + d * map.matrix.columnVectors, u).primal)
          k += 1
        }
      }
    }
  }

  private func unpack<Value: BinaryFloatingPoint>(
    _ shape: PackedLayer<L.Weight>, _ values: UnsafePointer<Value>, into h: UnsafeMutablePointer<L>
  ) {
    h.update(repeating: .zero, count: shape.featureVectors)
    var k = 0
    for map in shape.linear1 {
      for d in 0..<map.dimension {
        for u in 0..<map.matrix.source.columns {
          L.store(S(Double(values[k])), h + map.output + d * map.matrix.columnVectors, u)
          k += 1
        }
      }
    }
  }
}
