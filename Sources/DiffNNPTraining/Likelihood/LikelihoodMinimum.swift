import DiffNNP

/// What the refinement needs to know of the minimum of an objective with a pseudo-likelihood: the expansion of the
/// objective there, its terms other than the pseudo-likelihood, and the metric for Newton steps.
struct LikelihoodMinimum: Sendable {
  /// The complete objective to second order: pseudo-likelihood, priors and force labels.
  let objective: QuadraticForm
  /// Priors and force labels, ½ c'Gc - h'c.
  let others: QuadraticForm
  /// Number of choices per atom of the pseudo-likelihood. A refinement multiplies the log-likelihood by it, so that it
  /// has the same weight relative to priors and labels.
  let weight: Double

  /// The metric of the Hessian for some of the coefficients, the others being fixed.
  /// - Throws: where it is not positive.
  func metric(among isFree: [Bool]) throws -> HessianMetric {
    var free = objective
    for k in isFree.indices {
      for l in isFree.indices where !(isFree[k] && isFree[l]) { free.matrix[k * free.count + l] = k == l ? 1 : 0 }
    }
    guard let factor = free.regularised({ $0 }) else {
      throw DiffNNPError("the likelihood is not determined by these frames: give more frames")
    }
    return HessianMetric(factor)
  }
}

/// The metric for gradients that the inverse of a Hessian defines.
struct HessianMetric: Sendable {
  private let factor: CholeskyFactor

  init(_ factor: CholeskyFactor) { self.factor = factor }

  /// The inverse Hessian times a gradient: Newton's step goes against it.
  func step(_ gradient: [Double]) -> [Double] { factor.solve(gradient) ?? gradient.map { _ in 0 } }

  /// The squared length g'H⁻¹g of a gradient g: twice the decrease of the objective in Newton's step.
  func square(_ gradient: [Double]) -> Double { dot(gradient, step(gradient)) }
}
