import DiffNNP
import DiffNNPAnalysis
import DiffNNPFrames
import DiffNNPTraining

extension TrainingConfiguration {
  /// The frames to learn from, without those in traps, whose number is printed.
  /// - Throws: where they cannot be learned from.
  package func trainingFrames(of all: Trajectory) throws -> Trajectory {
    let trajectory = try naming(frames) {
      try LinearFit(fit, temperature: temperature).withoutTraps(all)
    }
    try all.requireDifferentFrames(path: frames)
    if fit.objective.usesForces { fit.ranks.say("\(frames): \(all.report.units)") }
    if trajectory.frames.count < all.frames.count {
      fit.ranks.say(
        "\(counted(all.frames.count - trajectory.frames.count, "frame")) left out, in which atoms are closer "
          + "than a wide gap in the distances allows: a trap of the run, or an error")
    }
    return trajectory
  }
}
