import DiffNNP

/// Sums G = Σ x xᵀ of dense rows x, gathered in batches that fit the cache.
final class SymmetricSum {
  let count: Int
  private let padded: Int
  /// The tiles at and below the diagonal [padded][padded].
  private let matrix: Buffer<Double>
  /// Rows that have not been added yet [batchSize][padded].
  private let batch: Buffer<Double>
  private var filled = 0

  private static let batchSize = 64

  init(_ count: Int) {
    self.count = count
    padded = Tiles.padded(count)
    matrix = Buffer(zeros: padded * padded)
    batch = Buffer(zeros: padded * Self.batchSize)
  }

  /// Adds x xᵀ.
  func add(_ x: UnsafePointer<Double>) {
    (batch.pointer + filled * padded).update(from: x, count: count)
    advance()
  }

  /// Adds y yᵀ for y = factor · x.
  func add(_ x: UnsafePointer<Double>, factor: Double) {
    let to = batch.pointer + filled * padded
    for k in 0..<count { to[k] = factor * x[k] }
    advance()
  }

  /// Adds y yᵀ for y = factor · (x - mean).
  func add(_ x: UnsafePointer<Double>, minus mean: UnsafePointer<Double>, factor: Double) {
    let to = batch.pointer + filled * padded
    for k in 0..<count { to[k] = factor * (x[k] - mean[k]) }
    advance()
  }

  private func advance() {
    filled += 1
    if filled == Self.batchSize { flush() }
  }

  private func flush() {
    Tiles.addSquares(of: batch.pointer, count: filled, to: matrix.pointer, size: padded)
    filled = 0
  }

  /// The sum [count][count].
  func result() -> [Double] {
    if filled > 0 { flush() }
    let matrix = matrix.pointer
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
