#if canImport(Glibc)
  import Glibc
#endif

/// Parameters of a network that depend on the noise level: θ(σ) = Σ_k b_k(σ) θ_k, with b_k = b(σ)^k and
/// b = log(σ/σ_min) / log(σ_max/σ_min).
///
/// The network is run at σ_min, where θ(σ_min) = θ_0, so that the dependence on σ costs nothing at run time.
struct ConditionedParameters: Equatable, Sendable {
  let smallestSigma: Double
  let largestSigma: Double
  /// Number of powers of b, including the constant.
  let order: Int
  /// Parameters of the network for each power, one after the other.
  var values: [Double]

  var parameterCount: Int { values.count / order }

  /// Parameters that are the same at every noise level.
  init(parameters: [Double], sigmas: [Double], order: Int) {
    smallestSigma = sigmas.min()!
    largestSigma = sigmas.max()!
    self.order = largestSigma > smallestSigma ? order : 1
    values = parameters + [Double](repeating: 0, count: (self.order - 1) * parameters.count)
  }

  private func basis(_ sigma: Double) -> [Double] {
    guard order > 1 else { return [1] }
    let b = log(sigma / smallestSigma) / log(largestSigma / smallestSigma)
    return (0..<order).map { pow(b, Double($0)) }
  }

  /// θ(σ).
  func parameters(sigma: Double) -> [Double] {
    let basis = basis(sigma)
    let n = parameterCount
    return (0..<n).map { k in basis.indices.reduce(0) { $0 + basis[$1] * values[$1 * n + k] } }
  }

  /// The gradient with respect to all values, from that with respect to θ(σ).
  func pullBack(_ gradient: [Double], sigma: Double) -> [Double] {
    basis(sigma).flatMap { b in gradient.map { b * $0 } }
  }
}
