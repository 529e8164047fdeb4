/// One arrangement of atoms (or beads) in a cell.
public struct Configuration: Sendable {
  /// The simulation cell (Å).
  public var cell: Cell
  /// Positions (Å); inside or outside the cell.
  public var positions: [SIMD3<Double>]
  /// Type of each atom: an index into a list of type names held elsewhere.
  public var types: [Int]

  /// A configuration of as many positions (Å) as types.
  public init(cell: Cell, positions: [SIMD3<Double>], types: [Int]) {
    precondition(positions.count == types.count)
    self.cell = cell
    self.positions = positions
    self.types = types
  }
}
