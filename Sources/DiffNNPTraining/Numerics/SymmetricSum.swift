/// Sums G = Σ x xᵀ of dense rows x, gathered in batches that fit the cache.
final class SymmetricSum {
  let count: Int
  private let padded: Int
  /// The tiles at and below the diagonal [padded][padded].
  private let matrix: UnsafeMutablePointer<Double>
  /// Rows that wait [batchSize][padded].
  private let batch: UnsafeMutablePointer<Double>
  private var filled = 0

  private static let batchSize = 64
  /// Of a tile of the sum, which stays in registers while a batch is added to it.
  private static let (tileRows, tileColumns) = (4, 16)

  init(_ count: Int) {
    self.count = count
    padded = (count + Self.tileColumns - 1) / Self.tileColumns * Self.tileColumns
    matrix = .allocate(capacity: padded * padded)
    matrix.initialize(repeating: 0, count: padded * padded)
    batch = .allocate(capacity: padded * Self.batchSize)
    batch.initialize(repeating: 0, count: padded * Self.batchSize)
  }

  deinit {
    matrix.deallocate()
    batch.deallocate()
  }

  /// Adds the square of x.
  func add(_ x: UnsafePointer<Double>) {
    (batch + filled * padded).update(from: x, count: count)
    advance()
  }

  /// Adds the square of factor · (x - mean).
  func add(_ x: UnsafePointer<Double>, minus mean: UnsafePointer<Double>, factor: Double) {
    let to = batch + filled * padded
    for k in 0..<count { to[k] = factor * (x[k] - mean[k]) }
    advance()
  }

  private func advance() {
    filled += 1
    if filled == Self.batchSize { flush() }
  }

  private func flush() {
    for i in stride(from: 0, to: padded, by: Self.tileRows) {
      for j in stride(from: 0, through: i, by: Self.tileColumns) { addTile(i, j) }
    }
    filled = 0
  }

  /// Products of four columns of the batch from i with sixteen from j.
  private func addTile(_ i: Int, _ j: Int) {
    typealias Lanes = SIMD16<Double>
    var (s0, s1, s2, s3) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
    var (a, b) = (batch + i, UnsafeRawPointer(batch + j))
    for _ in 0..<filled {
      let right = b.loadUnaligned(as: Lanes.self)
      s0.multiplyAdd(Lanes(repeating: a[0]), right)
      s1.multiplyAdd(Lanes(repeating: a[1]), right)
      s2.multiplyAdd(Lanes(repeating: a[2]), right)
      s3.multiplyAdd(Lanes(repeating: a[3]), right)
      a += padded
      b += 8 * padded
    }
    @inline(__always) func add(_ sum: Lanes, row: Int) {
      let to = UnsafeMutableRawPointer(matrix + (i + row) * padded + j)
      to.storeBytes(of: to.loadUnaligned(as: Lanes.self) + sum, as: Lanes.self)
    }
    add(s0, row: 0)
    add(s1, row: 1)
    add(s2, row: 2)
    add(s3, row: 3)
  }

  /// The sum [count][count].
  func result() -> [Double] {
    if filled > 0 { flush() }
    var result = Array(repeating: 0.0, count: count * count)
    for i in 0..<count {
      for j in 0...i {
        result[i * count + j] = matrix[i * padded + j]
        result[j * count + i] = matrix[i * padded + j]
      }
    }
    return result
  }
}
