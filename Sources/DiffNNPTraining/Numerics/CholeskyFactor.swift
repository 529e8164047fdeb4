import DiffNNP

/// The factor L of a symmetric positive definite matrix G + ridge = L Lᵀ.
final class CholeskyFactor: @unchecked Sendable {
  private let count: Int
  private let size: Int
  /// L below and on the diagonal [size][size].
  private let lower: Buffer<Double>
  /// Columns of a block of the factor [blockSize][size], one after the other.
  private let block: Buffer<Double>

  /// Number of columns of a block, with which its rows fit the second-level cache.
  private static let blockSize = 48

  /// - Parameter matrix: G [count][count]; nothing above the diagonal is read.
  /// - Returns: nil where the matrix is not positive definite to rounding.
  init?(_ matrix: [Double], count: Int, ridge: Double) {
    self.count = count
    size = Tiles.padded(count)
    lower = Buffer(zeros: size * size)
    block = Buffer(zeros: Self.blockSize * size)
    let lower = lower.pointer
    for i in 0..<count {
      for j in 0...i { lower[i * size + j] = matrix[i * count + j] }
      lower[i * size + i] += ridge
    }
    guard factorise() else { return nil }
  }

  /// Factorises block by block, and subtracts the outer products of each block's columns from the matrix to the right
  /// of it.
  private func factorise() -> Bool {
    let lower = lower.pointer
    for start in stride(from: 0, to: count, by: Self.blockSize) {
      let end = min(start + Self.blockSize, count)
      for i in start..<count { for j in start..<min(end, i + 1) { column(j - start)[i] = lower[i * size + j] } }
      for j in start..<end where !finishColumn(j, from: start) { return false }
      for i in start..<count { for j in start..<min(end, i + 1) { lower[i * size + j] = column(j - start)[i] } }
      guard end < count else { break }
      Tiles.addSquares(of: block.pointer, count: end - start, sign: -1, to: lower, size: size, from: end)
    }
    return true
  }

  private func column(_ k: Int) -> UnsafeMutablePointer<Double> { block.pointer + k * size }

  /// Subtracts the earlier columns of the block from column j, and divides it by the root of its pivot.
  private func finishColumn(_ j: Int, from start: Int) -> Bool {
    let own = column(j - start)
    for k in 0..<j - start {
      let (other, factor) = (column(k), column(k)[j])
      for i in j..<count { own[i] -= factor * other[i] }
    }
    guard own[j] > 0 else { return false }
    let scale = 1 / own[j].squareRoot()
    for i in j..<count { own[i] *= scale }
    return true
  }

  /// (L⁻¹)ᵀ [count][count], upper triangular: with it, A Aᵀ is the inverse of the matrix.
  func inverseTransposed() -> [Double] {
    let lower = lower.pointer
    var inverse = [Double](repeating: 0, count: count * count)
    // Column c of L⁻¹ by forward substitution is row c of the transpose.
    for c in 0..<count {
      for i in c..<count {
        var sum = i == c ? 1.0 : 0.0
        for k in c..<i { sum -= lower[i * size + k] * inverse[c * count + k] }
        inverse[c * count + i] = sum / lower[i * size + i]
      }
    }
    return inverse
  }

  /// x with L Lᵀ x = h; nil where it is not finite.
  func solve(_ h: [Double]) -> [Double]? {
    let lower = lower.pointer
    var x = h
    x.withUnsafeMutableBufferPointer { buffer in
      let x = buffer.baseAddress!
      for i in 0..<count {
        let row = lower + i * size
        x[i] = (x[i] - QuadraticForm.dot(row, x, i)) / row[i]
      }
      for i in stride(from: count - 1, through: 0, by: -1) {
        let row = lower + i * size
        x[i] /= row[i]
        let value = x[i]
        for k in 0..<i { x[k] -= row[k] * value }
      }
    }
    return x.allSatisfy(\.isFinite) ? x : nil
  }
}
