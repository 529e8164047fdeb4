import DiffNNP
import DiffNNPFrames

/// The held-out objective as a function of the number of training frames: fits to fewer and fewer frames are all
/// evaluated on the last block of time, to which none was fitted.
public struct LearningCurve: Sendable {
  /// Fits to one number of frames.
  public struct Point: Sendable {
    /// Number of frames of each fit.
    public let frameCount: Int
    /// Number of subsets of this size that were fitted.
    public let subsetCount: Int
    /// Objective for an atom (1/Å²) of each held-out frame, in order of time, averaged over subsets.
    public let objectives: [Double]
  }

  /// Settings of the fits.
  public let settings: FitSettings
  /// Temperature of the frames (K).
  public let temperature: Double

  /// Fewest frames of a fit.
  private static let fewestFrames = 10
  private static let mostPoints = 7
  private static let mostSubsets = 4

  /// A learning curve of fits with these settings, to frames at a temperature (K).
  public init(_ settings: FitSettings, temperature: Double) {
    self.settings = settings
    self.temperature = temperature
  }

  /// The points, from the most frames to the fewest, each with half as many as the last.
  /// - Throws: where there are too few frames for two points, and what `LinearFit` throws.
  public func run(_ trajectory: Trajectory, progress: (String) -> Void = { _ in }) throws -> [Point] {
    let blocks = try TimeBlocks(frameCount: trajectory.frames.count, blockCount: settings.blockCount)
    let heldOut = trajectory.frames.at(blocks.ranges.last!)
    let training = trajectory.frames.at(0..<blocks.ranges.last!.lowerBound)
    guard training.count >= 2 * Self.fewestFrames else {
      throw DiffNNPError(
        "a learning curve needs at least \(2 * Self.fewestFrames) frames besides the last block of time, found "
          + "\(training.count); give more frames")
    }
    let strides = (0..<Self.mostPoints).map { 1 << $0 }.filter { training.count / $0 >= Self.fewestFrames }
    let fit = try LinearFit(settings, temperature: temperature)
    return try strides.map { stride in
      let subsets = min(stride, Self.mostSubsets)
      let frameCount = training.count / stride
      progress("\(frameCount) frames, \(subsets) times")
      var sums = [Double](repeating: 0, count: heldOut.count)
      for subset in 0..<subsets {
        let first = subset * stride / subsets
        let frames = training.at((0..<frameCount).map { first + $0 * stride })
        let subset = Trajectory(typeNames: trajectory.typeNames, frames: frames)
        let objectives = try fit.heldOutObjectives(of: fit.run(subset), heldOut, typeNames: subset.typeNames)
        for k in sums.indices { sums[k] += objectives[k] / Double(subsets) }
      }
      return Point(frameCount: frameCount, subsetCount: subsets, objectives: sums)
    }
  }
}

/// The asymptotic law of an objective as a function of the number N of frames, L(N) = L∞ + a/N: the excess of a fit
/// with a fixed number of parameters.
public struct LearningLaw: Equatable, Sendable {
  /// Objective for an atom in the limit of endless frames (1/Å²).
  public let limit: Double
  /// a (1/Å²).
  public let slope: Double

  /// Fits the law by least squares over points (N, L), weighted by N.
  public init(_ points: [(frameCount: Int, objective: Double)]) {
    var (w, x, y, xx, xy) = (0.0, 0.0, 0.0, 0.0, 0.0)
    for point in points {
      let n = Double(point.frameCount)
      w += n
      x += 1
      y += n * point.objective
      xx += 1 / n
      xy += point.objective
    }
    slope = (w * xy - x * y) / (w * xx - x * x)
    limit = (y - slope * x) / w
  }

  /// Relative root mean square error of forces due to the limited number of frames, √(⟨δs²⟩/⟨s²⟩), for a score s whose
  /// objective is -½⟨s²⟩ + ½⟨δs²⟩. Nil where the law does not decrease.
  public func relativeForceError(frameCount: Double) -> Double? {
    guard slope > 0, limit < 0 else { return nil }
    return (slope / frameCount / -limit).squareRoot()
  }

  /// The number of frames at which the relative error of forces is `error`; nil where the law does not decrease.
  public func frameCount(relativeForceError error: Double) -> Double? {
    guard slope > 0, limit < 0 else { return nil }
    return slope / (-limit * error * error)
  }
}
