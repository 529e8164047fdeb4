#if canImport(Glibc)
  import Glibc
#endif

/// Adam (Kingma & Ba, arXiv:1412.6980) with an exponential moving average of the parameters, and gradients clipped to
/// twice their usual norm.
struct Adam: Equatable, Sendable {
  private(set) var step = 0
  private(set) var firstMoment: [Double]
  private(set) var secondMoment: [Double]
  /// The averaged parameters, which are validated and kept.
  private(set) var average: [Double]
  /// Running mean of the gradient's norm.
  private(set) var usualNorm = 0.0

  static let (beta1, beta2, epsilon) = (0.9, 0.999, 1e-8)

  init(_ parameters: [Double]) {
    firstMoment = Array(repeating: 0, count: parameters.count)
    secondMoment = firstMoment
    average = parameters
  }

  /// Continues from a saved state.
  init(step: Int, firstMoment: [Double], secondMoment: [Double], average: [Double], usualNorm: Double) {
    self.step = step
    self.firstMoment = firstMoment
    self.secondMoment = secondMoment
    self.average = average
    self.usualNorm = usualNorm
  }

  /// One step down the gradient. Coordinates where `gradient` has always been zero do not move.
  mutating func update(_ parameters: inout [Double], gradient: [Double], learningRate: Double, averaging: Double) {
    step += 1
    let norm = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let clip = usualNorm > 0 ? min(1, 2 * usualNorm / max(norm, .leastNormalMagnitude)) : 1
    usualNorm = usualNorm > 0 ? 0.98 * usualNorm + 0.02 * norm * clip : norm
    let correction1 = 1 - pow(Self.beta1, Double(step))
    let correction2 = 1 - pow(Self.beta2, Double(step))
    // At first, the average forgets the initial parameters faster.
    let keep = min(averaging, Double(step) / Double(step + 10))
    for k in parameters.indices {
      let g = clip * gradient[k]
      firstMoment[k] = Self.beta1 * firstMoment[k] + (1 - Self.beta1) * g
      secondMoment[k] = Self.beta2 * secondMoment[k] + (1 - Self.beta2) * g * g
      let denominator = (secondMoment[k] / correction2).squareRoot() + Self.epsilon
      parameters[k] -= learningRate * (firstMoment[k] / correction1) / denominator
      average[k] = keep * average[k] + (1 - keep) * parameters[k]
    }
  }
}
