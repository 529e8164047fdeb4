import DiffNNP
import DiffNNPFrames

/// Angles of runs beside those of frames.
public struct AngleComparison: Sendable {
  /// Legs are shorter than this (Å).
  public let radius: Double
  public let simulated: AngleDistribution
  public let frames: AngleDistribution
  /// Jensen–Shannon divergence of each triple of types, runs from frames.
  public let divergences: [Double]
  /// The divergence that sampling alone would leave, of runs and frames of these lengths.
  public let expected: [Double]

  /// - Parameter runs: independent runs, taken together.
  init(_ runs: [Trajectory], _ frames: Trajectory, radius: Double) throws {
    let all = Trajectory(typeNames: frames.typeNames, frames: runs.flatMap(\.frames))
    self.radius = radius
    simulated = try AngleDistribution(all, radius: radius)
    self.frames = try AngleDistribution(frames, radius: radius)
    divergences = try simulated.divergence(from: self.frames)
    expected = zip(try Self.samplingFloor(all, radius), try Self.samplingFloor(frames, radius)).map { $0 + $1 }
  }

  /// Divergences are squares of differences: halves of a trajectory differ by four times what the whole differs from the truth.
  private static func samplingFloor(_ trajectory: Trajectory, _ radius: Double) throws -> [Double] {
    let middle = trajectory.frames.count / 2
    let halves = try [trajectory.frames[..<middle], trajectory.frames[middle...]].map {
      try AngleDistribution(Trajectory(typeNames: trajectory.typeNames, frames: Array($0)), radius: radius)
    }
    return try halves[0].divergence(from: halves[1]).map { $0 / 4 }
  }

  /// Triples that both have, as positions in `divergences`.
  var known: [Int] {
    simulated.triples.indices.filter { k in
      [simulated, frames].allSatisfy { $0.probabilities[k].reduce(0, +) > 0 }
    }
  }

  var labels: [String] { simulated.triples.map { $0.label(simulated.typeNames) } }

  /// A panel for each triple.
  var figure: Figure {
    Figure(
      known.map { k in
        Panel(
          labels[k], xLabel: "angle / °", yLabel: "probability",
          curves: [
            Curve("frames", x: frames.angles, y: frames.probabilities[k], style: .reference),
            Curve("LAMMPS with the model", x: simulated.angles, y: simulated.probabilities[k], style: .next(0)),
          ], xRange: (0, 180), yRange: (0, nil))
      })
  }
}
