/// Forces on a few atoms by radial tables, against those by the radial networks themselves. In double precision, so
/// that the tables are the only difference.
struct RadialTrial {
  private let plan: NetworkPlan
  private let parameters: [Double]
  private let edges: EdgeList
  private let exact: [SIMD3<Double>]

  /// Atoms as dense as in a solid, from a quarter of the cutoff apart, all types in turn.
  init(_ plan: NetworkPlan, parameters: [Double]) {
    let rMax = plan.architecture.rMax
    let positions = (0..<27).map { k in
      let site = SIMD3(Double(k % 3), Double(k / 3 % 3), Double(k / 9))
      // Multiples of the golden ratio and its kind are spread evenly, but without order.
      let displacement = Double(k + 1) * SIMD3(0.8191725133961645, 0.6710436067037893, 0.5497004779019703)
      return 0.35 * rMax * (site + 0.3 * (displacement - displacement.rounded(.down)))
    }
    let typeCount = plan.architecture.typeNames.count
    self.init(plan, parameters: parameters, Self.edges(positions, typeCount: typeCount, cutoff: rMax))
  }

  init(_ plan: NetworkPlan, parameters: [Double], _ edges: EdgeList) {
    self.plan = plan
    self.parameters = parameters
    self.edges = edges
    let radial = plan.layers.indices.map { layer in
      parameters.withUnsafeBufferPointer {
        RadialNetwork<Dual<Double>>(plan, layer: layer, parameters: $0.baseAddress!)
      }
    }
    exact = Self.forces(
      NetworkEvaluator(Self.weights(plan, parameters, intervals: 1), exactRadial: radial), edges)
  }

  /// The largest difference of forces with so many intervals, and the largest force (units of the network's energy/Å).
  func forceError(intervals: Int) -> (error: Double, size: Double) {
    let tabulated = Self.forces(NetworkEvaluator(Self.weights(plan, parameters, intervals: intervals)), edges)
    return (zip(tabulated, exact).map { length($0 - $1) }.max() ?? 0, exact.map(length).max() ?? 0)
  }

  private static func weights(
    _ plan: NetworkPlan, _ parameters: [Double], intervals: Int
  ) -> PackedWeights<SIMD4<Double>> {
    let weights = PackedWeights<SIMD4<Double>>(NetworkLayout(plan, width: 4), intervals: intervals)
    var knots: [PackedWeights<SIMD4<Double>>.RadialKnots] = []
    weights.pack(parameters, radial: &knots)
    return weights
  }

  private static func edges(_ positions: [SIMD3<Double>], typeCount: Int, cutoff: Double) -> EdgeList {
    let edges = EdgeList()
    orEnd { try edges.begin(centreCount: positions.count, atomCount: positions.count) }
    for (i, x) in positions.enumerated() {
      edges.types[i] = Int32(i % typeCount)
      orEnd { try edges.reserve(positions.count) }
      for (j, y) in positions.enumerated() where j != i {
        let distance = length(y - x)
        if distance < cutoff { edges.appendUnchecked(neighbour: Int32(j), vector: y - x, length: distance) }
      }
      edges.close(centre: i)
    }
    return edges
  }

  private static func forces(_ evaluator: NetworkEvaluator<SIMD4<Double>>, _ edges: EdgeList) -> [SIMD3<Double>] {
    var flat = [Double](repeating: 0, count: 3 * edges.atomCount)
    flat.withUnsafeMutableBufferPointer { flat in
      orEnd { try evaluator.evaluate(.single(edges), into: .init(forces: ForceSums(forces: flat.baseAddress))) }
    }
    return (0..<edges.atomCount).map { SIMD3(flat[3 * $0], flat[3 * $0 + 1], flat[3 * $0 + 2]) }
  }
}
