import DiffNNP

/// One frame of a trajectory.
public struct Frame: Sendable {
  /// The simulation cell (Å); frames that were read have short cell vectors.
  public var cell: Cell
  /// Positions (Å).
  public var positions: [SIMD3<Double>]
  /// Type of each atom: an index into the trajectory's `typeNames`.
  public var types: [Int]
  /// Forces (eV/Å), where the file has them.
  public var forces: [SIMD3<Double>]?
  /// Number of the frame in its file, counted from 0 as in a Python slice, by which messages name it.
  public var number: Int

  /// A frame of as many positions (Å) as types and, where there are any, forces (eV/Å).
  public init(
    cell: Cell, positions: [SIMD3<Double>], types: [Int], forces: [SIMD3<Double>]? = nil, number: Int = 0
  ) {
    self.cell = cell
    self.positions = positions
    self.types = types
    self.forces = forces
    self.number = number
  }

  /// Cell, positions and types, without forces.
  public var configuration: Configuration { Configuration(cell: cell, positions: positions, types: types) }
}

/// Frames in order of time, with the names their types stand for.
public struct Trajectory: Sendable {
  /// Names of the types, in the order of their indices.
  public var typeNames: [String]
  /// Frames in order of time.
  public var frames: Frames
  /// Findings about the file that the frames were read from.
  public var report = ReadingReport()

  /// A trajectory of frames whose types are indices into `typeNames`.
  public init(typeNames: [String], frames: Frames) {
    self.typeNames = typeNames
    self.frames = frames
  }

  /// A trajectory of frames that are held in memory.
  public init(typeNames: [String], frames: [Frame]) { self.init(typeNames: typeNames, frames: Frames(frames)) }

  /// Mean cell vectors of the frames (Å); nil without frames.
  public var meanCell: [SIMD3<Double>]? {
    guard !frames.isEmpty else { return nil }
    return (0..<3).map { k in frames.reduce(.zero) { $0 + $1.cell.vectors[k] } / Double(frames.count) }
  }

  /// Number density of each type (1/Å³) over all frames; nil without frames.
  public var densities: [Double]? {
    guard !frames.isEmpty else { return nil }
    let volume = frames.reduce(0) { $0 + $1.cell.volume }
    var counts = [Double](repeating: 0, count: typeNames.count)
    for frame in frames { for type in frame.types { counts[type] += 1 } }
    return counts.map { $0 / volume }
  }
}
