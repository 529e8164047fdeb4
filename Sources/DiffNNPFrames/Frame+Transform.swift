import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

extension Frame {
  /// The frame repeated `count` times along each cell vector; every copy of an atom has the atom's force.
  /// - Throws: where the cell becomes degenerate.
  public func replicated(_ count: Int) throws -> Frame {
    var frame = self
    let vectors = cell.vectors
    let shifts = (0..<count * count * count).map { k in
      Double(k % count) * vectors[0] + Double(k / count % count) * vectors[1] + Double(k / (count * count)) * vectors[2]
    }
    frame.cell = try Cell(vectors: vectors.map { Double(count) * $0 }, periodic: cell.periodic)
    frame.positions = shifts.flatMap { shift in positions.map { $0 + shift } }
    frame.types = shifts.flatMap { _ in types }
    frame.forces = forces.map { forces in shifts.flatMap { _ in forces } }
    return frame
  }

  /// The frame with all lengths scaled so that its density is multiplied by `factor`; without forces.
  /// - Throws: where the cell becomes degenerate.
  public func compressed(_ factor: Double) throws -> Frame {
    var frame = self
    let scale = 1 / cbrt(factor)
    frame.cell = try Cell(vectors: cell.vectors.map { scale * $0 }, periodic: cell.periodic)
    frame.positions = positions.map { scale * $0 }
    frame.forces = nil
    return frame
  }
}
