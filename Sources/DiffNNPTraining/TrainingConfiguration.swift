import DiffNNP
import DiffNNPFrames

/// The complete configuration of a training. Every value has a default but the frames, the temperature and the output.
public struct TrainingConfiguration: Sendable {
  /// Path of the trajectory's file.
  public var frames: String
  /// The choice of its atoms and frames.
  public var selection = TrajectorySelection()
  /// Temperature of the frames (K).
  public var temperature: Double
  /// Path of the weight file that is written.
  public var output: String
  /// The fit of pairs and triplets, with objective, seed and threads.
  public var fit = FitSettings()
  /// The network stage; nil for none.
  public var network: NetworkSettings?
  /// Steps of the refinement by likelihood at the end (see `LikelihoodRefinement`); 0 for none.
  public var refinementSteps = 300
  /// Whether a refinement follows: for triplets and networks, where configurations are learned from. Pairs alone gain
  /// nothing from it.
  public var isRefined: Bool {
    refinementSteps > 0 && fit.objective.usesConfigurations && (fit.triplets != nil || network != nil)
  }

  /// Number of members of an ensemble; 1 for none. The first member is the same as a training without the others gives.
  public var members = 1
  /// Accepted numbers of members.
  public static let sensibleMembers = 1...20

  /// A configuration with the defaults, for frames at a temperature (K).
  public init(frames: String, temperature: Double, output: String) {
    self.frames = frames
    self.temperature = temperature
    self.output = output
  }

  /// The configuration of one member of the ensemble, counted from 1: all but the first have seeds and files of their
  /// own.
  public func configuration(ofMember number: Int) -> TrainingConfiguration {
    var configuration = self
    configuration.members = 1
    guard number > 1 else { return configuration }
    configuration.output += ".member\(number)"
    configuration.fit.seed &+= UInt64(number - 1)
    configuration.network?.seed &+= UInt64(number - 1)
    return configuration
  }
}
