import DiffNNP
import DiffNNPFrames

/// All that a training run is told. Every value has a default but the frames, the temperature and the output.
public struct TrainingConfiguration: Sendable {
  /// The trajectory's file.
  public var frames: String
  /// Which atoms and frames of it are used.
  public var selection = TrajectorySelection()
  /// Temperature of the frames (K).
  public var temperature: Double
  /// The weight file to be written.
  public var output: String
  /// The pair stage, with objective, noise, seed and threads.
  public var pair = PairFit.Settings()
  /// The network stage; nil for the pair term alone.
  public var network: NetworkSettings?

  public init(frames: String, temperature: Double, output: String) {
    self.frames = frames
    self.temperature = temperature
    self.output = output
  }
}

/// Settings of the network stage.
public struct NetworkSettings: Equatable, Sendable {
  /// Features of each kind (scalars, vectors, …) on an atom.
  public var features = 8
  /// Interaction layers.
  public var layers = 2
  /// Highest degree of the spherical harmonics.
  public var lMax = 1
  /// Cutoff (Å).
  public var rMax = 5.0
  /// Bessel functions.
  public var basisCount = 8
  /// Hidden layers of the radial network, and their width.
  public var radialLayers = 2
  public var radialWidth = 32
  public var steps = 3000
  /// Frames for each step.
  public var batchSize = 1
  public var learningRate = 0.01
  /// Noise levels (Å).
  public var sigmas = [0.03, 0.05, 0.1]
  /// Decay of the moving average of the weights.
  public var averaging = 0.99
  public var seed: UInt64 = 1

  public init() {}
}
