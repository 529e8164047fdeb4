import DiffNNP

/// The objective of one configuration, for fixed base potentials and a network that is trained.
///
/// With s = F/kT the score, and a target t whose conditional mean is the score, L = ½|s|² - s·t: least squares without
/// the constant ½|t|². For noise y = x ± σε the target is ∓ε/σ; the mean of both signs is the antithetic objective,
/// which stays finite as σ → 0, where it is Hyvärinen's with one Hutchinson probe. For force labels the target is F/kT.
public final class ScoreObjective {
  /// One configuration with its target.
  public struct Item {
    /// The noised configuration.
    public var configuration: Configuration
    /// The target t (1/Å) [atoms].
    public var target: [SIMD3<Double>]

    /// A configuration with its target (1/Å) [atoms].
    public init(configuration: Configuration, target: [SIMD3<Double>]) {
      self.configuration = configuration
      self.target = target
    }
  }

  private let model: TrainableScore
  private var score: [SIMD3<Double>] = []

  /// An objective for one thread; the network's parameters may change between evaluations.
  public init(_ network: TrainableNetwork) { model = TrainableScore(network) }

  /// The objective for an atom (1/Å²). Where `gradient` is given, it receives the gradient of `weight` times that.
  /// - Parameter bases: potentials that the network adds to, in units of kT.
  /// - Throws: where neighbours cannot be found.
  public func evaluate(
    _ item: Item, bases: [Potential] = [], weight: Double = 1, gradient: TrainableNetwork.Gradient? = nil
  ) throws -> Double {
    try model.evaluate(item.configuration, bases: bases, into: &score)
    let count = Double(score.count)
    var sum = 0.0
    for i in score.indices { sum += dot(score[i], 0.5 * score[i] - item.target[i]) }
    if let gradient {
      // dL/dθ = Σ (s - t)·∂s/∂θ; `differentiate` gives minus the derivative of a projected force, hence the sign.
      let factor = -weight / count
      model.differentiate(
        directions: score.indices.map { factor * (score[$0] - item.target[$0]) }, into: gradient)
    }
    return sum / count
  }
}
