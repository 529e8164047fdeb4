import DiffNNP
import DiffNNPFrames

/// Distributions of angles of runs, compared with those of frames.
public struct AngleComparison: Sendable {
  /// Largest distance of the neighbours that form the angles (Å).
  public let radius: Double
  /// Angles of all runs together.
  public let simulated: AngleDistribution
  /// Angles of the given frames.
  public let frames: AngleDistribution
  /// Jensen–Shannon divergence of each triple of types, runs from frames.
  public let divergences: [Double]
  /// The divergence that sampling alone would leave, of runs and frames of these lengths; NaN where too few frames have
  /// such angles.
  public let expected: [Double]

  /// - Parameter runs: independent runs, taken together.
  init(_ runs: [Trajectory], _ frames: Trajectory, radius: Double) throws {
    self.radius = radius
    let (mine, theirs) = (try Self.blocks(runs, radius), try Self.blocks([frames], radius))
    simulated = Self.distribution(mine, frames.typeNames)
    self.frames = Self.distribution(theirs, frames.typeNames)
    divergences = try simulated.divergence(from: self.frames)
    expected = simulated.triples.indices.map { Self.samplingFloor(mine, $0) + Self.samplingFloor(theirs, $0) }
  }

  /// Number of contiguous blocks of frames that are counted, from which halves are made.
  private static let blockCount = 20

  private static func blocks(_ trajectories: [Trajectory], _ radius: Double) throws -> [AngleCounts] {
    let count = trajectories.reduce(0) { $0 + $1.frames.count }
    let empty = try AngleCounts(
      TypeTriple.equalLegs(typeCount: trajectories.first?.typeNames.count ?? 0), radius: radius)
    let ends = BlockStatistics.ranges(frameCount: count, blockCount: max(1, min(blockCount, count))).map(\.upperBound)
    var blocks = [empty]
    for (k, frame) in trajectories.lazy.flatMap(\.frames).enumerated() {
      if k == ends[blocks.count - 1] { blocks.append(empty) }
      try blocks[blocks.count - 1].add(frame)
    }
    return blocks
  }

  private static func distribution(_ blocks: [AngleCounts], _ typeNames: [String]) -> AngleDistribution {
    AngleDistribution(blocks.dropFirst().reduce(into: blocks[0]) { $0.add($1) }, typeNames: typeNames)
  }

  /// The divergence of a distribution from the truth by sampling alone, from the difference of two halves in time with
  /// about as many angles. Divergences are squares of differences: halves with n and m angles differ by (n + m)²/nm
  /// times as much.
  private static func samplingFloor(_ blocks: [AngleCounts], _ triple: Int) -> Double {
    let rows = blocks.map { $0.histogram[triple] }
    let ends = rows.reduce(into: [0]) { $0.append($0.last! + $1.reduce(0, +)) }
    let total = ends.last!
    let half = ends.indices.min { abs(ends[$0] - total / 2) < abs(ends[$1] - total / 2) }!
    let (n, m) = (ends[half], total - ends[half])
    guard n > 0, m > 0 else { return .nan }
    func probabilities(_ rows: ArraySlice<[Double]>, _ count: Double) -> [Double] {
      rows[rows.startIndex].indices.map { bin in rows.reduce(0) { $0 + $1[bin] } / count }
    }
    return jensenShannonDivergence(probabilities(rows[..<half], n), probabilities(rows[half...], m)) * n * m
      / (total * total)
  }

  /// Positions in `divergences` of the triples that both have.
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
