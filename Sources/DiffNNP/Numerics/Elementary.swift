/// Numbers, or SIMD vectors of numbers, that activation functions can be computed on.
public protocol Elementary {
  /// The value in every lane, without a tangent.
  static func constant(_ value: Double) -> Self
  /// `a` where `x` is negative, and `b` elsewhere.
  static func select(_ x: Self, negative a: Self, else b: Self) -> Self
  /// Sum of each lane.
  static func + (a: Self, b: Self) -> Self
  /// Difference of each lane.
  static func - (a: Self, b: Self) -> Self
  /// Product of each lane.
  static func * (a: Self, b: Self) -> Self
  /// Quotient of each lane.
  static func / (a: Self, b: Self) -> Self
  /// e^x of each lane.
  static func exp(_ x: Self) -> Self
  /// Natural logarithm of each lane.
  static func log(_ x: Self) -> Self
}

extension Elementary where Self: Real {
  @inline(__always) public static func constant(_ value: Double) -> Self { Self(value) }
  @inline(__always) public static func select(_ x: Self, negative a: Self, else b: Self) -> Self {
    x.primal < 0 ? a : b
  }
}
