extension SIMD where Scalar: FloatingPoint {
  /// self + a·b, rounded once where the processor has an instruction for that. Processors that have none (x86-64 before
  /// v3, compiled for with NO_FMA) would call a function for each element.
  @inlinable @inline(__always) public func multiplyAdding(_ a: Self, _ b: Self) -> Self {
    #if NO_FMA
      self + a * b
    #else
      addingProduct(a, b)
    #endif
  }

  /// self += a·b, rounded as in `multiplyAdding`.
  @inlinable @inline(__always) public mutating func multiplyAdd(_ a: Self, _ b: Self) { self = multiplyAdding(a, b) }
}
