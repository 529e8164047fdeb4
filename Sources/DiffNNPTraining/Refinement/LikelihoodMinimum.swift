import DiffNNP

/// The minimum of the conditional likelihood as a refinement by the full likelihood needs it: the other terms of the
/// objective, and the metric for steps from there.
struct LikelihoodMinimum: Sendable {
  /// The complete objective to second order: conditional likelihood, priors and force labels.
  let whole: QuadraticForm
  /// Priors and force labels, ½ c'Gc - h'c.
  let rest: QuadraticForm
  /// Number of choices that the conditional likelihood poses for each atom: the weight of a likelihood beside priors
  /// and labels.
  let weight: Double

  /// The metric of the Hessian among some of the coefficients.
  /// - Throws: where it is not positive.
  func metric(among isFree: [Bool]) throws -> HessianMetric {
    var free = whole
    for k in isFree.indices {
      for l in isFree.indices where !(isFree[k] && isFree[l]) { free.matrix[k * free.count + l] = k == l ? 1 : 0 }
    }
    guard let factor = free.firstOf({ $0 }) else {
      throw DiffNNPError("the likelihood is not determined by these frames: give more frames")
    }
    return HessianMetric(factor)
  }
}

/// Lengths of gradients by the inverse of a Hessian.
struct HessianMetric: Sendable {
  private let factor: CholeskyFactor

  init(_ factor: CholeskyFactor) { self.factor = factor }

  /// The inverse Hessian times a gradient: Newton's step goes against it.
  func step(_ gradient: [Double]) -> [Double] { factor.solve(gradient) ?? gradient.map { _ in 0 } }

  /// Twice the decrease of the objective in Newton's step.
  func square(_ gradient: [Double]) -> Double { zip(gradient, step(gradient)).reduce(0) { $0 + $1.0 * $1.1 } }
}
