extension SIMD4<Double>: Arithmetic {
  @inline(__always) public init(_ value: Double) { self.init(repeating: value) }
  // The standard library has these for all vectors, and this module for all of `Arithmetic`.
  @inline(__always) static func += (a: inout Self, b: Self) { a = a + b }
  @inline(__always) static func -= (a: inout Self, b: Self) { a = a - b }
}

extension SIMD4 {
  /// The transpose of a matrix with these rows.
  @inline(__always)
  static func transposed(_ a: Self, _ b: Self, _ c: Self, _ d: Self) -> (Self, Self, Self, Self) {
    // Even and odd columns of two rows, each of which is one instruction.
    let (ab02, ab13) = (Self(a[0], b[0], a[2], b[2]), Self(a[1], b[1], a[3], b[3]))
    let (cd02, cd13) = (Self(c[0], d[0], c[2], d[2]), Self(c[1], d[1], c[3], d[3]))
    return (
      Self(lowHalf: ab02.lowHalf, highHalf: cd02.lowHalf), Self(lowHalf: ab13.lowHalf, highHalf: cd13.lowHalf),
      Self(lowHalf: ab02.highHalf, highHalf: cd02.highHalf), Self(lowHalf: ab13.highHalf, highHalf: cd13.highHalf)
    )
  }
}
