import DiffNNP

/// The minimum of an objective with a pseudo-likelihood as a refinement by the likelihood needs it: the other terms of the
/// objective, and the metric for steps from there.
struct LikelihoodMinimum: Sendable {
  /// The complete objective to second order: pseudo-likelihood, priors and force labels.
  let objective: QuadraticForm
  /// Priors and force labels, ½ c'Gc - h'c.
  let others: QuadraticForm
  /// Number of choices that the pseudo-likelihood poses for each atom: the weight of a likelihood beside priors and
  /// labels.
  let weight: Double

  /// The metric of the Hessian among some of the coefficients.
  /// - Throws: where it is not positive.
  func metric(among isFree: [Bool]) throws -> HessianMetric {
    var free = objective
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
  func square(_ gradient: [Double]) -> Double { dot(gradient, step(gradient)) }
}
