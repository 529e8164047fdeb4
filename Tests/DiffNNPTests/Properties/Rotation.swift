@testable import DiffNNP

/// An orthogonal map of space: a rotation, or one with a mirror.
struct Rotation {
  let rows: [SIMD3<Double>]

  /// A random rotation: Gram–Schmidt on random vectors.
  static func random(using random: inout SplitMix) -> Rotation {
    func unit(_ v: SIMD3<Double>) -> SIMD3<Double> { v / length(v) }
    let a = unit(random.vector())
    let v = random.vector()
    let b = unit(v - dot(a, v) * a)
    return Rotation(rows: [a, b, cross(a, b)])
  }

  /// Followed by the inversion of space.
  var inverted: Rotation { Rotation(rows: rows.map { -$0 }) }

  func callAsFunction(_ v: SIMD3<Double>) -> SIMD3<Double> { [dot(rows[0], v), dot(rows[1], v), dot(rows[2], v)] }

  /// R T Rᵀ for a symmetric tensor xx, yy, zz, xy, xz, yz.
  func callAsFunction(tensor t: [Double]) -> [Double] {
    let columns: [SIMD3<Double>] = [[t[0], t[3], t[4]], [t[3], t[1], t[5]], [t[4], t[5], t[2]]]
    func element(_ a: Int, _ b: Int) -> Double {
      dot(rows[a], [dot(columns[0], rows[b]), dot(columns[1], rows[b]), dot(columns[2], rows[b])])
    }
    return [element(0, 0), element(1, 1), element(2, 2), element(0, 1), element(0, 2), element(1, 2)]
  }

  /// The configuration turned about the origin, its cell too.
  func callAsFunction(_ configuration: Configuration) throws -> Configuration {
    let cell = configuration.cell
    return Configuration(
      cell: try Cell(vectors: cell.vectors.map { self($0) }, periodic: cell.periodic),
      positions: configuration.positions.map { self($0) }, types: configuration.types)
  }
}
