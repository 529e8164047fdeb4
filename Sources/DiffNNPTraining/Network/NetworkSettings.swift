import DiffNNP

/// Settings of the network stage.
public struct NetworkSettings: Equatable, Sendable {
  /// Number of features of each kind (scalars, vectors, …) on an atom.
  public var features = 16
  /// Number of interaction layers.
  public var layers = 3
  /// Highest degree of the spherical harmonics.
  public var lMax = 2
  /// Cutoff (Å).
  public var rMax = 5.0
  /// Number of Bessel functions.
  public var basisCount = 8
  /// Number of hidden layers of the radial network: `radialLayers`, and their width: `radialWidth`.
  public var radialLayers = 2
  public var radialWidth = 32
  /// Largest number of steps of the optimiser.
  public var steps = 2000
  /// Number of frames in each step; each is noised with both signs.
  public var batchSize = 1
  /// Largest learning rate of Adam; it falls to zero as half a cosine.
  public var learningRate = 0.01
  /// Noise levels (Å), visited in turn. The network is run at the smallest.
  public var sigmas = [0.01, 0.02, 0.04]
  /// How parameters depend on the noise level: number of powers of its logarithm, including the constant.
  public var sigmaOrder = 2
  /// Decay of the moving average of the parameters.
  public var averaging = 0.998
  /// Number of steps between validations.
  public var validationInterval = 50
  /// Number of steps without a better validation before training stops early; 0 for never.
  public var patience = 1000
  /// Learning rate of a refinement by likelihood that follows (see `LikelihoodRefinement`).
  public var refinementRate = 0.002
  /// Seed of initial parameters, noise, and order of frames.
  public var seed: UInt64 = 1

  /// The default settings.
  public init() {}

  /// The settings that decide the course of training, by their keys in the configuration; those of the refinement that
  /// follows are left out.
  var json: JSONValue {
    .object([
      .init("features", JSONValue(features)), .init("layers", JSONValue(layers)), .init("l_max", JSONValue(lMax)),
      .init("r_max", .number(rMax)), .init("num_basis", JSONValue(basisCount)),
      .init("radial_layers", JSONValue(radialLayers)), .init("radial_width", JSONValue(radialWidth)),
      .init("steps", JSONValue(steps)), .init("batch_size", JSONValue(batchSize)),
      .init("learning_rate", .number(learningRate)), .init("sigma", .array(sigmas.map { .number($0) })),
      .init("sigma_order", JSONValue(sigmaOrder)), .init("ema", .number(averaging)),
      .init("validation_interval", JSONValue(validationInterval)), .init("patience", JSONValue(patience)),
      .init("seed", .string("\(seed)")),
    ])
  }

  /// Checks all settings.
  /// - Throws: where a setting is not valid, naming its key in the configuration.
  public func validate() throws {
    if let fault { throw DiffNNPError("network.\(fault.key) \(fault.reason)") }
  }

  /// The first setting that is not valid: its key in the configuration, and what is wrong.
  public var fault: (key: String, reason: String)? {
    var faults: [(key: String, reason: String)] = []
    func require(_ condition: Bool, _ key: String, _ found: Any, _ expected: String) {
      if !condition { faults.append((key, "is \(found); expected \(expected)")) }
    }
    require(1...1024 ~= features, "features", features, "1 to 1024")
    require(1...16 ~= layers, "layers", layers, "1 to 16")
    require(0...3 ~= lMax, "l_max", lMax, "0, 1, 2 or 3")
    require(rMax.isFinite && rMax > 0, "r_max", rMax, "a positive distance in Å")
    require(1...64 ~= basisCount, "num_basis", basisCount, "1 to 64")
    require(1...8 ~= radialLayers, "radial_layers", radialLayers, "1 to 8")
    require(1...1024 ~= radialWidth, "radial_width", radialWidth, "1 to 1024")
    let levels = !sigmas.isEmpty && sigmas.allSatisfy { 0.001...10 ~= $0 } && Set(sigmas).count == sigmas.count
    require(levels, "sigma", sigmas, "noise levels from 0.001 to 10 Å, each once")
    require(1...4 ~= sigmaOrder, "sigma_order", sigmaOrder, "1 to 4")
    require(steps > 0, "steps", steps, "a positive number")
    require(1...1024 ~= batchSize, "batch_size", batchSize, "1 to 1024")
    require(learningRate > 0 && learningRate < 1, "learning_rate", learningRate, "a number between 0 and 1")
    require(0..<1 ~= averaging, "ema", averaging, "at least 0, below 1")
    require(validationInterval > 0, "validation_interval", validationInterval, "a positive number")
    require(
      patience == 0 || patience >= validationInterval, "patience", patience,
      "0 for never, or at least validation_interval, \(validationInterval) steps")
    require(refinementRate > 0 && refinementRate < 1, "refinement_rate", refinementRate, "a number between 0 and 1")
    return faults.first
  }
}
