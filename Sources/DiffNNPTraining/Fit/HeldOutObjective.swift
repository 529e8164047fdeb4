import DiffNNP

/// The objective of denoising in the limit of no noise, E[½|s|² + div s] with the score s = F/kT, for an atom (1/Å²).
///
/// Up to a constant of the data it is half the Fisher divergence of the model from the data (Hyvärinen, J. Mach. Learn.
/// Res. 6, 695 (2005)): of two models the one with the smaller value on held-out frames is the better one, whatever
/// noise they were trained with. Estimated at x ± σε with antithetic noise ε ~ N(0, I), for N atoms,
///
///     L = [¼ (|s(x + σε)|² + |s(x - σε)|²) + ε·(s(x + σε) - s(x - σε)) / 2σ] / N
public struct HeldOutObjective: Sendable {
  /// kT (eV).
  public let thermalEnergy: Double
  /// Noise (Å), small compared with the width of the sharpest well.
  public let sigma: Double
  /// Draws of noise for each frame.
  public let draws: Int
  /// Seed of the noise.
  public let seed: UInt64

  /// Default of the noise (Å).
  public static let defaultSigma = 0.01
  /// Noise levels that are accepted (Å): below, differences of forces are rounding errors; above, wells are no longer
  /// resolved.
  private static let sensibleSigmas = 1e-5...1.0
  private static let mostDraws = 10_000

  /// An objective for frames at a temperature.
  /// - Parameter temperature: of the frames (K).
  /// - Throws: where temperature, noise or draws are not valid.
  public init(temperature: Double, sigma: Double = defaultSigma, draws: Int = 1, seed: UInt64 = 1) throws {
    try Temperature.check(temperature)
    guard Self.sensibleSigmas.contains(sigma) else {
      throw DiffNNPError("sigma is \(sigma) Å; expected a number from 0.00001 to 1")
    }
    guard 1...Self.mostDraws ~= draws else {
      throw DiffNNPError("draws are \(draws); expected 1 to \(Self.mostDraws)")
    }
    thermalEnergy = boltzmannConstant * temperature
    self.sigma = sigma
    self.draws = draws
    self.seed = seed
  }

  /// The estimate from one frame: the mean over draws.
  /// - Parameters:
  ///   - frame: the frame's number, which seeds its noise, so that the noise is the same for all models.
  ///   - forces: computes forces (eV/Å), [atoms].
  public func estimate(
    _ configuration: Configuration, frame: Int, forces: (Configuration) throws -> [SIMD3<Double>]
  ) rethrows -> Double {
    try (0..<draws).reduce(0) { sum, draw in
      var random = Philox(seed: seed, purpose: .objective, frame: frame, stream: draw)
      let epsilon = configuration.positions.map { _ in random.normal3() }
      return sum + (try estimate(configuration, epsilon, forces)) / Double(draws)
    }
  }

  private func estimate(
    _ configuration: Configuration, _ epsilon: [SIMD3<Double>],
    _ forces: (Configuration) throws -> [SIMD3<Double>]
  ) rethrows -> Double {
    func score(_ sign: Double) throws -> [SIMD3<Double>] {
      var noised = configuration
      for i in epsilon.indices { noised.positions[i] += sign * sigma * epsilon[i] }
      return try forces(noised).map { $0 / thermalEnergy }
    }
    let (up, down) = (try score(1), try score(-1))
    var sum = 0.0
    for i in epsilon.indices {
      sum += 0.25 * (dot(up[i], up[i]) + dot(down[i], down[i])) + dot(epsilon[i], up[i] - down[i]) / (2 * sigma)
    }
    return sum / Double(epsilon.count)
  }
}
