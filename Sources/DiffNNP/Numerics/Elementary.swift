/// What activation functions are written over: numbers, and lanes of them.
public protocol Elementary {
  /// The same number in every lane, without a tangent.
  static func constant(_ value: Double) -> Self
  /// `a` where `x` is negative, and `b` elsewhere.
  static func select(_ x: Self, negative a: Self, else b: Self) -> Self
  static func + (a: Self, b: Self) -> Self
  static func - (a: Self, b: Self) -> Self
  static func * (a: Self, b: Self) -> Self
  static func / (a: Self, b: Self) -> Self
  static func exp(_ x: Self) -> Self
  static func log(_ x: Self) -> Self
}

extension Elementary where Self: Real {
  @inline(__always) public static func constant(_ value: Double) -> Self { Self(value) }
  @inline(__always) public static func select(_ x: Self, negative a: Self, else b: Self) -> Self {
    x.primal < 0 ? a : b
  }
}
