extension Network {
  /// Floating-point operations of an energy with its forces, a multiplication and an addition counted as two: those of
  /// radial tables, tensor products and linear maps, without padding. Harmonics, activations and sums over channels are
  /// left out.
  public struct Operations: Equatable, Sendable {
    /// Operations for each edge within the cutoff.
    public var perEdge = 0
    /// Operations for each atom.
    public var perAtom = 0
  }

  /// Floating-point operations of this network, for each edge and for each atom.
  public var operations: Operations {
    plan.layers.enumerated().reduce(into: Operations()) { sum, layer in
      let isFirst = layer.offset == 0
      for path in layer.element.paths {
        sum.perEdge += path.multiplicity * Self.operations(path, layer.element, isFirst: isFirst)
      }
      sum.perAtom += Self.operationsOfCoupling(layer.element) + Self.operationsOfMaps(layer.element, isFirst: isFirst)
    }
  }

  /// Operations for one channel of a path at one edge, forward and back.
  private static func operations(_ path: NetworkPlan.Path, _ layer: NetworkPlan.Layer, isFirst: Bool) -> Int {
    let l1 = layer.inputs[path.input].irrep.l
    let (d1, d3) = (2 * l1 + 1, path.output.dimension)
    let table = 6 + 10
    let length = 2
    let features = isFirst && l1 == 0 ? 0 : 2 * d1
    guard path.edgeDegree > 0 else { return table + length + 4 * d3 + features }
    // Terms of each of D·Y, x·D and the outer product.
    let terms = l1 == 0 || path.output.l == 0 ? max(d1, d3) : d1 * (2 * path.edgeDegree + 1)
    let weighting = path.output.l == 0 ? 2 + d1 : 2 * d1
    return table + length + 6 * terms + weighting + 2 * d1 + features
  }

  /// Operations for the coupling of all paths of one centre, forward and back.
  private static func operationsOfCoupling(_ layer: NetworkPlan.Layer) -> Int {
    layer.paths.reduce(0) { sum, path in
      let isCoupled = layer.inputs[path.input].irrep.l > 0 && path.edgeDegree > 0 && path.output.l > 0
      return sum + (isCoupled ? 4 * path.couplings.count * path.multiplicity : 0)
    }
  }

  private static func operationsOfMaps(_ layer: NetworkPlan.Layer, isFirst: Bool) -> Int {
    func count(_ matrix: NetworkPlan.Matrix, _ dimension: Int) -> Int { 2 * matrix.rows * matrix.columns * dimension }
    let inner = layer.linear1.reduce(0) { $0 + count($1.matrix, layer.inputs[$1.input].irrep.dimension) }
    let own = layer.selfConnections.reduce(0) {
      $0 + count($1.matrices[0], layer.inputs[$1.input].irrep.dimension)
    }
    let outer = layer.linear2.reduce(0) { $0 + count($1.matrix, layer.paths[$1.input].output.dimension) }
    return (isFirst ? 1 : 2) * (inner + own) + 2 * outer
  }
}
