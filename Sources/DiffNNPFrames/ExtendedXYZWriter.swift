import DiffNNP

/// Writes frames as extended XYZ with energies and forces, which ASE reads into a calculator's results.
public final class ExtendedXYZWriter {
  private let file: ReplacementFile

  /// Opens the file for frames.
  /// - Parameter path: the file to make or replace; it is there once `commit` returns.
  /// - Throws: where the name ends in .gz, or the file cannot be made.
  public init(path: String) throws {
    guard !path.hasSuffix(".gz") else { throw DiffNNPError("\(path): frames are written uncompressed; leave out .gz") }
    file = try ReplacementFile(path)
  }

  /// Appends a frame.
  /// - Parameters:
  ///   - frame: cell, positions, types, and the forces to write.
  ///   - typeNames: what its types stand for.
  ///   - energy: total energy (eV).
  ///   - columns: further numbers of the atoms.
  /// - Throws: where the file cannot be written.
  public func write(
    _ frame: Frame, typeNames: [String], energy: Double? = nil, columns: [(name: String, values: [Double])] = []
  ) throws {
    let lattice = frame.cell.vectors.map(Self.text).joined(separator: " ")
    let pbc = frame.cell.periodic.map { $0 ? "T" : "F" }.joined(separator: " ")
    var text = "\(frame.positions.count)\nLattice=\"\(lattice)\" Properties=species:S:1:pos:R:3"
    if frame.forces != nil { text += ":forces:R:3" }
    for column in columns { text += ":\(column.name):R:1" }
    if let energy { text += " energy=\(energy)" }
    text += " pbc=\"\(pbc)\"\n"
    for i in frame.positions.indices {
      text += typeNames[frame.types[i]] + " " + Self.text(frame.positions[i])
      if let forces = frame.forces { text += " " + Self.text(forces[i]) }
      for column in columns { text += " \(column.values[i])" }
      text += "\n"
    }
    try file.write(text)
  }

  /// Completes the file, which replaces an old one of this name.
  /// - Throws: where the file cannot be written; a file of this name is then as it was.
  public func commit() throws { try file.commit() }

  private static func text(_ x: SIMD3<Double>) -> String { "\(x.x) \(x.y) \(x.z)" }
}
