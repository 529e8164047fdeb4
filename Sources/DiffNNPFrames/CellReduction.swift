import DiffNNP

/// Gives the cells of a trajectory vectors that are short, where those of the file are so skewed that cutoffs would
/// suffer. The lattice, and so every image of every atom, stays as it is.
struct CellReduction {
  /// The last cell's vectors as combinations of those of the file, with whole numbers as coefficients.
  private var combination = Self.identity
  /// Periodicity of the last cell along its three vectors.
  private var periodic: [Bool] = []
  private static let identity: [SIMD3<Double>] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
  /// Cells whose smallest height is at least this fraction of the best one's are left as they are, so that those of a
  /// run at constant pressure do not go back and forth between two choices.
  private static let enough = 0.97
  private static let mostRounds = 1000

  /// - Throws: where the cell is so skewed that nothing exact is known of it.
  mutating func apply(to cell: Cell) throws -> Cell {
    if periodic != cell.periodic { (combination, periodic) = (Self.identity, cell.periodic) }
    let current = try Self.combined(cell, combination)
    let shortest = Self.shortest(cell)
    let best = try Self.combined(cell, shortest)
    guard Self.smallestHeight(current) < Self.enough * Self.smallestHeight(best) else { return current }
    combination = shortest
    return best
  }

  private static func combined(_ cell: Cell, _ combination: [SIMD3<Double>]) throws -> Cell {
    let vectors = combination.map { n in cell.cartesian(n) }
    return vectors == cell.vectors ? cell : try Cell(vectors: vectors, periodic: cell.periodic)
  }

  private static func smallestHeight(_ cell: Cell) -> Double {
    let heights = cell.heights
    return (0..<3).filter { cell.periodic[$0] }.map { heights[$0] }.min() ?? .infinity
  }

  /// Periodic vectors that no other one, nor the sum or difference of both others, makes shorter: reduced in the sense
  /// of Minkowski, which in three dimensions this is enough for (Nguyen & Stehlé, ACM Trans. Algorithms 5, 46 (2009)).
  private static func shortest(_ cell: Cell) -> [SIMD3<Double>] {
    var (vectors, numbers) = (cell.vectors, identity)
    let axes = (0..<3).filter { cell.periodic[$0] }
    /// Subtracts from vector i the multiple of the sum of others that makes it shortest; returns whether it got shorter
    /// by more than rounding.
    func shorten(_ i: Int, by others: [(axis: Int, sign: Double)]) -> Bool {
      let sum = others.reduce(SIMD3<Double>.zero) { $0 + $1.sign * vectors[$1.axis] }
      let n = (dot(vectors[i], sum) / dot(sum, sum)).rounded()
      let shorter = vectors[i] - n * sum
      guard n != 0, n.magnitude < 1e6, length(shorter) < (1 - 1e-9) * length(vectors[i]) else { return false }
      vectors[i] = shorter
      numbers[i] -= n * others.reduce(SIMD3<Double>.zero) { $0 + $1.sign * numbers[$1.axis] }
      return true
    }
    for _ in 0..<mostRounds {
      var changed = false
      for i in axes {
        let others = axes.filter { $0 != i }
        for j in others where shorten(i, by: [(j, 1)]) { changed = true }
        guard others.count == 2 else { continue }
        for sign in [1.0, -1] where shorten(i, by: [(others[0], 1), (others[1], sign)]) { changed = true }
      }
      if !changed { break }
    }
    return numbers
  }
}
