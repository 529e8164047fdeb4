import DiffNNP
import DiffNNPFrames

/// Extrapolation grades of the atoms along a run.
public struct GradeSummary: Sendable {
  /// The `largest` extrapolation grade of an atom, and the `time` at which it occurred (ps).
  public private(set) var largest = 0.0
  public private(set) var time = 0.0
  /// Fraction of the atoms with a grade above 1.
  public private(set) var outside = 0.0

  /// - Parameter interval: time between frames of consecutive numbers (ps).
  init(_ frames: some Collection<Frame>, _ grade: ExtrapolationGrade, interval: Double) throws {
    let (edges, search) = (EdgeList(), NeighbourSearch())
    var scratch = [Double](repeating: 0, count: grade.scratchSize)
    var (above, count) = (0, 0)
    for frame in frames {
      try search.fill(edges, frame.configuration, cutoff: grade.surroundings.rMax)
      for i in 0..<edges.centreCount {
        let value = grade.grade(of: i, edges, scratch: &scratch)
        if value > largest { (largest, time) = (value, Double(frame.number) * interval) }
        if value > 1 { above += 1 }
      }
      count += edges.centreCount
    }
    if count > 0 { outside = Double(above) / Double(count) }
  }
}
