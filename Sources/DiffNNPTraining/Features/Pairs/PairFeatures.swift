import DiffNNP

/// The functions of pairs: for each pair of types, cubic B-splines of the distance.
package struct PairFeatures: LinearFeatures {
  let basis: PairBasis
  /// Where walls begin, for each pair of types (Å); infinite for pairs that never meet.
  let wallDistances: [Double]

  package init(basis: PairBasis, wallDistances: [Double]) {
    (self.basis, self.wallDistances) = (basis, wallDistances)
  }

  package var name: String { "pairs" }
  package var count: Int { basis.count }
  package var arithmetic: String { basis.arithmetic }
  package var rMax: Double { basis.rMax }
  package var countsNeighbours: Bool { true }
  /// More choices do not improve the forces of pair potentials.
  package var choiceCount: Int { 36_000 }

  package func makeEvaluator() -> any FeatureEvaluating { PairFeatureEvaluator(basis) }

  package var priorKey: String { "smoothness" }
  package var priorName: String { "smoothness" }
  package var priorCandidates: [Double] { SmoothnessPrior.strengths }

  package func addPrior(_ strength: Double, to form: inout QuadraticForm, offset: Int, atomCount: Double) {
    SmoothnessPrior(strength: strength).add(to: &form, basis, weight: atomCount, offset: offset)
  }

  package func walled(_ coefficients: [Double]) -> [Double] {
    RepulsiveWall().applied(to: coefficients, basis, smallestDistances: wallDistances)
  }

  package func term(_ coefficients: [Double]) throws -> any Term { try basis.pairTerm(coefficients) }

  package func floor(within rMax: Double) throws -> DistanceFloor? {
    try RepulsiveWall.floor(basis, smallestDistances: wallDistances, within: rMax)
  }
}

private final class PairFeatureEvaluator: FeatureEvaluating {
  private let basis: PairBasis
  /// Inverse of the knot spacing (1/Å).
  private let inverseSpacing: Double
  private var edges = EdgeList()

  init(_ basis: PairBasis) {
    self.basis = basis
    inverseSpacing = 1 / basis.spacing
  }

  func begin(_ configuration: Configuration, _ edges: EdgeList) { self.edges = edges }

  func remove(_ i: Int) {}
  func restore(_ i: Int) {}

  func put(_ i: Int, _ displacement: SIMD3<Double>, _ near: NearbyAtoms.Found, into f: UnsafeMutablePointer<Double>) {
    f.update(repeating: 0, count: basis.count)
    for k in 0..<near.count where near.distances[k] < basis.rMax {
      basis.add(1, pair: basis.pair(i, Int(near.edges[k]), edges), at: near.distances[k], inverseSpacing, to: f)
    }
  }

  func gradients(of i: Int, into f: UnsafeMutablePointer<Double>, stride: Int) {
    for axis in 0..<3 { (f + axis * stride).update(repeating: 0, count: basis.count) }
    for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.neighbours[e] != Int32(i) {
      let r = edges.lengths[e]
      guard r < basis.rMax else { continue }
      addGradient(basis.pair(i, e, edges), edges.vectors[e] / -r, r, to: f, stride: stride)
    }
  }

  private func addGradient(
    _ p: Int, _ unit: SIMD3<Double>, _ r: Double, to f: UnsafeMutablePointer<Double>, stride: Int
  ) {
    let (m, t) = basis.interval(r / basis.spacing)
    let slopes = CubicBSpline.basis(t).slope / basis.spacing
    for axis in 0..<3 {
      let to = f + axis * stride + p * basis.intervals + m
      for k in 0..<min(4, basis.intervals - m) { to[k] += slopes[k] * unit[axis] }
    }
  }

  func sums(into f: UnsafeMutablePointer<Double>) {
    f.update(repeating: 0, count: basis.count)
    for i in 0..<edges.centreCount {
      // Both directions of a pair are edges, so that each edge counts one half.
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.lengths[e] < basis.rMax {
        basis.add(0.5, pair: basis.pair(i, e, edges), at: edges.lengths[e], inverseSpacing, to: f)
      }
    }
  }
}
