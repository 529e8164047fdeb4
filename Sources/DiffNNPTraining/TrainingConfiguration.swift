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
