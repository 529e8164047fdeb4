/// Adds sums of outer products to symmetric matrices, where sums of squares and factorisations spend most of their
/// time.
enum Tiles {
  /// Rows and columns of a tile of the matrix, which stays in registers.
  static let (rows, columns) = (4, 16)

  /// A count rounded up to a multiple of a tile's columns.
  static func padded(_ count: Int) -> Int { (count + columns - 1) / columns * columns }

  /// Adds `sign` Σ x xᵀ to the tiles at and below the diagonal from row and column `first` on.
  /// - Parameters:
  ///   - batch: rows x [count][size]
  ///   - matrix: [size][size]; `size` and `first` are multiples of a tile's columns.
  static func addSquares(
    of batch: UnsafePointer<Double>, count: Int, sign: Double = 1, to matrix: UnsafeMutablePointer<Double>, size: Int,
    from first: Int = 0
  ) {
    for i in stride(from: first, to: size, by: rows) {
      for j in stride(from: first, through: i, by: columns) {
        addTile(batch + i, batch + j, count: count, sign: sign, to: matrix + i * size + j, size: size)
      }
    }
  }

  /// Products of four columns of the batch, at `left`, with sixteen at `right`.
  @inline(__always)
  private static func addTile(
    _ left: UnsafePointer<Double>, _ right: UnsafePointer<Double>, count: Int, sign: Double,
    to matrix: UnsafeMutablePointer<Double>, size: Int
  ) {
    typealias Lanes = SIMD16<Double>
    var (s0, s1, s2, s3) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
    var (a, b) = (left, UnsafeRawPointer(right))
    for _ in 0..<count {
      let right = b.loadUnaligned(as: Lanes.self)
      s0.multiplyAdd(Lanes(repeating: a[0]), right)
      s1.multiplyAdd(Lanes(repeating: a[1]), right)
      s2.multiplyAdd(Lanes(repeating: a[2]), right)
      s3.multiplyAdd(Lanes(repeating: a[3]), right)
      a += size
      b += MemoryLayout<Double>.stride * size
    }
    @inline(__always) func add(_ sum: Lanes, row: Int) {
      let to = UnsafeMutableRawPointer(matrix + row * size)
      to.storeBytes(of: to.loadUnaligned(as: Lanes.self) + sign * sum, as: Lanes.self)
    }
    add(s0, row: 0)
    add(s1, row: 1)
    add(s2, row: 2)
    add(s3, row: 3)
  }
}
