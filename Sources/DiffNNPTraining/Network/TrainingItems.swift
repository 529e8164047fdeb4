import DiffNNP
import DiffNNPFrames

/// Makes the configurations and targets that a network is trained on, for given noise and objective. Random numbers
/// depend only on the seed, the frame and the draw.
struct TrainingItems: Sendable {
  let frames: Frames
  let noise: NetworkNoise
  let objective: TrainingObjective
  /// kT (eV).
  let thermalEnergy: Double
  let seed: UInt64
  /// Weight of the force label in a mixed target, for each noise level.
  private let forceWeights: [Double: Double]

  /// Noise levels (Å): 0 alone for force labels alone.
  var sigmas: [Double] { objective == .forces ? [0] : noise.sigmas }

  /// Prepares the items of all frames.
  /// - Throws: where the objective needs forces that frames lack.
  init(
    frames: Frames, noise: NetworkNoise, objective: TrainingObjective, thermalEnergy: Double, seed: UInt64
  ) throws {
    if objective != .denoising, let frame = frames.first(where: { $0.forces == nil }) {
      throw DiffNNPError("objective \(objective.rawValue) needs forces, but frame \(frame.number) has none")
    }
    self.frames = frames
    self.noise = noise
    self.objective = objective
    self.thermalEnergy = thermalEnergy
    self.seed = seed
    var weights: [Double: Double] = [:]
    if objective == .mixed {
      let variance = Self.forceVariance(frames, thermalEnergy)
      // The weight a that makes (1-a)(-ε/σ) + a F/kT least noisy, for ε independent of F: 1/τ against the force's
      // variance.
      for sigma in noise.sigmas { weights[sigma] = 1 / (1 + sigma * sigma * variance) }
    }
    forceWeights = weights
  }

  /// Mean square of a component of F/kT (1/Å²).
  private static func forceVariance(_ frames: Frames, _ thermalEnergy: Double) -> Double {
    var (sum, count) = (0.0, 0)
    for frame in frames {
      for force in frame.forces! { sum += dot(force, force) }
      count += 3 * frame.positions.count
    }
    return sum / (Double(count) * thermalEnergy * thermalEnergy)
  }

  /// The items of a frame at a noise level.
  /// - Parameters:
  ///   - visit: how often the frame has been used before: static noise returns to the same draws.
  ///   - stream: keeps draws for training and for validation apart.
  func items(frame index: Int, sigma: Double, visit: Int, stream: Int) throws -> [ScoreObjective.Item] {
    let frame = try frames.frame(at: index)
    guard objective != .forces else {
      return [.init(configuration: frame.configuration, target: frame.forces!.map { $0 / thermalEnergy })]
    }
    let draw = noise.copies.map { visit % $0 } ?? visit
    var random = Philox(seed: seed, purpose: .network, frame: index, stream: draw << 4 ^ stream)
    let epsilon = frame.positions.map { _ in random.normal3() }
    return (noise.isAntithetic ? [1, -1] : [1]).map { item(frame, epsilon, sigma: sigma, sign: $0) }
  }

  private func item(
    _ frame: Frame, _ epsilon: [SIMD3<Double>], sigma: Double, sign: Double
  ) -> ScoreObjective.Item {
    var configuration = frame.configuration
    let scale = noise.positionScale
    for i in epsilon.indices {
      configuration.positions[i] = scale * configuration.positions[i] + sign * sigma * epsilon[i]
    }
    var target = epsilon.map { -sign / sigma * $0 }
    if let weight = forceWeights[sigma] {
      for i in target.indices { target[i] = (1 - weight) * target[i] + weight / thermalEnergy * frame.forces![i] }
    }
    return .init(configuration: configuration, target: target)
  }
}
