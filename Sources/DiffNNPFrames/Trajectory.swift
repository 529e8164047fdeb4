import DiffNNP

/// One frame of a trajectory.
public struct Frame: Sendable {
  public var cell: Cell
  /// Positions (Å).
  public var positions: [SIMD3<Double>]
  /// Type of each atom: an index into the trajectory's `typeNames`.
  public var types: [Int]
  /// Forces (eV/Å), where the file has them.
  public var forces: [SIMD3<Double>]?
  /// Its number in its file, counted from 0 as in a Python slice: what messages call it.
  public var number: Int

  public init(
    cell: Cell, positions: [SIMD3<Double>], types: [Int], forces: [SIMD3<Double>]? = nil, number: Int = 0
  ) {
    self.cell = cell
    self.positions = positions
    self.types = types
    self.forces = forces
    self.number = number
  }

  public var configuration: Configuration { Configuration(cell: cell, positions: positions, types: types) }
}

/// Frames in order of time, with the names their types stand for.
public struct Trajectory: Sendable {
  public var typeNames: [String]
  public var frames: Frames
  /// What reading found out besides, where they were read from a file.
  public var report = ReadingReport()

  public init(typeNames: [String], frames: Frames) {
    self.typeNames = typeNames
    self.frames = frames
  }

  public init(typeNames: [String], frames: [Frame]) { self.init(typeNames: typeNames, frames: Frames(frames)) }

  /// Mean cell vectors of the frames (Å); nil where there are none.
  public var meanCell: [SIMD3<Double>]? {
    guard !frames.isEmpty else { return nil }
    return (0..<3).map { k in frames.reduce(.zero) { $0 + $1.cell.vectors[k] } / Double(frames.count) }
  }

  /// Atoms of each type for one Å³, over all frames; nil where there are none.
  public var densities: [Double]? {
    guard !frames.isEmpty else { return nil }
    let volume = frames.reduce(0) { $0 + $1.cell.volume }
    var counts = [Double](repeating: 0, count: typeNames.count)
    for frame in frames { for type in frame.types { counts[type] += 1 } }
    return counts.map { $0 / volume }
  }
}
