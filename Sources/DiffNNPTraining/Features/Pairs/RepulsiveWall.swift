import DiffNNP

/// A repulsive wall at distances below those in the data, where a fit is undetermined. Below the smallest distance in
/// the data the coefficients are replaced from the edge inwards such that u' decreases steadily: in terms of the steps
/// d_k = c_k - c_{k+1}, d_k = max(d_{k+1}, slope h) + curvature h². A cubic spline whose coefficients fall and are
/// convex is itself decreasing and convex, and it joins the fitted spline with continuous curvature.
struct RepulsiveWall {
  /// Least repulsion at the edge (kT/Å).
  var leastSlope = 5.0
  /// Curvature (kT/Å²): the fit's own at the edge, within these bounds. Half an Å costs over 15 kT, and steps of 4 fs
  /// are still short against the stiffest oscillation of two light atoms.
  var curvature = 100.0...300.0

  /// - Parameters:
  ///   - smallestDistances: for each pair of types (Å); infinite for pairs that never meet, whose walls begin at the
  ///     smallest distance of all other pairs.
  func applied(to coefficients: [Double], _ basis: PairBasis, smallestDistances: [Double]) -> [Double] {
    var result = coefficients
    for (pair, edge) in Self.edges(basis, smallestDistances: smallestDistances).enumerated() {
      raise(&result, basis, row: pair * basis.intervals, edge: edge)
    }
    return result
  }

  /// A floor of distances that keeps a term with a cutoff (Å) from outweighing the walls: its radial functions use no
  /// distances below it. Where the floored distance becomes constant, the wall alone acts, with a slope of at least
  /// `leastSlope`.
  static func floor(
    _ basis: PairBasis, smallestDistances: [Double], within rMax: Double
  ) throws -> DistanceFloor {
    try DistanceFloor(
      typeCount: basis.typeCount,
      distances: edges(basis, smallestDistances: smallestDistances).map { min($0, rMax) },
      width: max(leastWidth, 3 * basis.spacing))
  }

  /// The least width of the floor (Å): a narrower one would make the term too stiff at the edge.
  private static let leastWidth = 0.3

  /// The distances at which the walls of all pairs of types begin (Å).
  private static func edges(_ basis: PairBasis, smallestDistances: [Double]) -> [Double] {
    let closest = smallestDistances.min() ?? .infinity
    return smallestDistances.map { min($0.isFinite ? $0 : closest, basis.rMax) }
  }

  private func raise(_ c: inout [Double], _ basis: PairBasis, row: Int, edge: Double) {
    let h = basis.spacing
    // Functions from this one on extend beyond the interval of the edge, and keep their coefficients.
    let first = min(Int(edge / h), basis.intervals - 1)
    func value(_ k: Int) -> Double { k < basis.intervals ? c[row + k] : 0 }
    let fitted = (value(first) - 2 * value(first + 1) + value(first + 2)) / (h * h)
    let bend = min(max(fitted, curvature.lowerBound), curvature.upperBound) * h * h
    var step = value(first) - value(first + 1)
    for k in stride(from: first - 1, through: 0, by: -1) {
      step = max(step, leastSlope * h) + bend
      c[row + k] = value(k + 1) + step
    }
  }
}
