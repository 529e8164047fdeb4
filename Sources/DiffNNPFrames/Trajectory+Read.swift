import DiffNNP

extension Trajectory {
  /// Reads frames from a file: extended XYZ or a LAMMPS text dump, plain or compressed by gzip, or NPZ with NequIP's
  /// keys.
  ///
  /// - Parameters:
  ///   - path: the file; its format is recognised by its beginning.
  ///   - selection: the atoms and frames wanted.
  /// - Throws: where the file cannot be read, a frame is unusable, lengths cannot be right, or nothing is selected.
  public static func read(path: String, _ selection: TrajectorySelection = .init()) throws -> Trajectory {
    try selection.check()
    let format = try TrajectoryFormat(path: path)
    return try Trajectory(path: path, selection) { () throws -> any FrameReader in
      switch format {
      case .npz: return try NPZReader(path: path, selection)
      case .lammpsDump: return try LAMMPSDumpReader(path: path, selection)
      case .extendedXYZ: return try ExtendedXYZReader(path: path, selection)
      }
    }
  }
}

private enum TrajectoryFormat {
  case npz, lammpsDump, extendedXYZ

  init(path: String) throws {
    let lines = try LineReader(path: path)
    guard try lines.advance() else { throw DiffNNPError("\(path): the file is empty") }
    lines.split()
    let first = lines.fields.isEmpty ? "" : lines.fieldText(0)
    if lines.bytes.starts(with: [0x50, 0x4b, 3, 4]) {
      self = .npz
    } else if first == "ITEM:" {
      self = .lammpsDump
    } else if Int(first) != nil || first.isEmpty {
      self = .extendedXYZ
    } else {
      let isText = first.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f && $0 != "\u{fffd}" }
      throw DiffNNPError(
        "\(path): not extended XYZ, a LAMMPS text dump, or NPZ: "
          + (isText ? "it begins with \"\(first.prefix(20))\"" : "it is binary"))
    }
  }
}
