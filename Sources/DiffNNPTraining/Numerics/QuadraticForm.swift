import DiffNNP

/// ½ c'Gc - h'c, with symmetric G: an objective whose minimiser solves G c = h.
public struct QuadraticForm: Equatable, Sendable {
  /// Number of coefficients c.
  public let count: Int
  /// G [count][count].
  public var matrix: [Double]
  /// h [count].
  public var vector: [Double]

  /// The zero form of `count` coefficients.
  public init(count: Int) {
    self.count = count
    matrix = Array(repeating: 0, count: count * count)
    vector = Array(repeating: 0, count: count)
  }

  /// The form of a matrix [count][count] and a vector [count].
  package init(matrix: [Double], vector: [Double]) {
    assert(matrix.count == vector.count * vector.count)
    (count, self.matrix, self.vector) = (vector.count, matrix, vector)
  }

  /// Adds `weight` times the matrix of another form to the rows and columns of G from (row, column) on, and
  /// `vectorWeight` times its vector to h from `row` on.
  package mutating func add(
    _ other: QuadraticForm, weight: Double, vectorWeight: Double? = nil, row: Int = 0, column: Int = 0
  ) {
    let n = other.count
    assert(row + n <= count && column + n <= count, "a form is added to one that is too small")
    matrix.withUnsafeMutableBufferPointer { target in
      other.matrix.withUnsafeBufferPointer { source in
        for k in 0..<n {
          let to = target.baseAddress! + (row + k) * count + column
          let from = source.baseAddress! + k * n
          for l in 0..<n { to[l] += weight * from[l] }
        }
      }
    }
    let vectorWeight = vectorWeight ?? weight
    if vectorWeight != 0 { for k in 0..<n { vector[row + k] += vectorWeight * other.vector[k] } }
  }

  /// The sum of several forms.
  package static func sum(_ forms: [QuadraticForm]) -> QuadraticForm {
    var total = forms[0]
    for form in forms.dropFirst() { total.add(form, weight: 1) }
    return total
  }

  /// G c.
  package func product(_ c: [Double]) -> [Double] {
    var result = Array(repeating: 0.0, count: count)
    matrix.withUnsafeBufferPointer { g in
      for k in 0..<count {
        var sum = 0.0
        for l in 0..<count { sum += g[k * count + l] * c[l] }
        result[k] = sum
      }
    }
    return result
  }

  /// ½ c'Gc - h'c.
  package func value(_ c: [Double]) -> Double {
    let gc = product(c)
    var sum = 0.0
    for k in 0..<count { sum += c[k] * (0.5 * gc[k] - vector[k]) }
    return sum
  }

  /// Σ G_kk.
  package var trace: Double { (0..<count).reduce(0) { $0 + matrix[$1 * count + $1] } }

  /// The minimiser, by Cholesky's factorisation.
  package func minimiser() throws -> [Double] {
    guard let solution = regularised({ $0.solve(vector) }) else {
      throw DiffNNPError("the fit is not determined by these frames: give more frames, or a smaller cutoff")
    }
    return solution
  }

  /// The first result of `answer` that is not nil, for factors of G with a growing multiple of its mean diagonal added.
  /// Where G is singular to rounding (functions that vanish on all data), the smallest multiple that regularises it is
  /// used.
  func regularised<Answer>(_ answer: (CholeskyFactor) -> Answer?) -> Answer? {
    let scale = trace / Double(count)
    var ridge = 1e-13 * scale
    while ridge.isFinite, ridge <= 1e-3 * scale, scale > 0 {
      if let factor = CholeskyFactor(matrix, count: count, ridge: ridge), let found = answer(factor) { return found }
      ridge *= 100
    }
    return nil
  }

  /// The scalar product x·y of vectors with `count` elements.
  @inline(__always)
  package static func dot(_ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>, _ count: Int) -> Double {
    var sums = SIMD8<Double>.zero
    let blockEnd = count & ~7
    let (xs, ys) = (UnsafeRawPointer(x), UnsafeRawPointer(y))
    for k in stride(from: 0, to: blockEnd, by: 8) {
      sums +=
        xs.loadUnaligned(fromByteOffset: 8 * k, as: SIMD8<Double>.self)
        * ys.loadUnaligned(fromByteOffset: 8 * k, as: SIMD8<Double>.self)
    }
    var sum = sums.sum()
    for k in blockEnd..<count { sum += x[k] * y[k] }
    return sum
  }
}

/// The scalar product of two vectors of the same length.
func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
