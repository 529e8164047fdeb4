import DiffNNP
import DiffNNPFrames

extension PairFit.Result {
  /// Metadata of a weight file: properties of the frames that were fitted, and the noise level.
  /// - Parameter temperature: of the frames (K).
  public func metadata(_ trajectory: Trajectory, temperature: Double) -> PotentialMetadata {
    var metadata = PotentialMetadata()
    metadata.temperature = temperature
    metadata.densities = trajectory.densities
    metadata.cell = trajectory.meanCell
    metadata.sigma = sigma
    metadata.smallestDistances = smallestDistances
    return metadata
  }
}
