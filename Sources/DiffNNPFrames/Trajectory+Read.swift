import DiffNNP

extension Trajectory {
  /// Reads frames from a file: NPZ with NequIP's keys.
  ///
  /// - Parameters:
  ///   - path: the file; what it is, is seen from its first bytes.
  ///   - selection: the atoms and frames wanted.
  /// - Throws: where the file cannot be read, a frame is unusable, or nothing is selected.
  public static func read(path: String, _ selection: TrajectorySelection = .init()) throws -> Trajectory {
    try selection.check()
    return try Trajectory(path: path, selection) { try NPZReader(path: path, typeNames: selection.typeNames) }
  }
}
