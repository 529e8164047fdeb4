#if canImport(Glibc)
  import Glibc
#endif

/// Numbers, or SIMD vectors of numbers, that polynomials can be computed on.
public protocol Arithmetic {
  /// The value, in every lane, without a tangent.
  init(_ value: Double)
  /// Sum.
  static func + (a: Self, b: Self) -> Self
  /// Difference.
  static func - (a: Self, b: Self) -> Self
  /// Product.
  static func * (a: Self, b: Self) -> Self
}

extension Arithmetic {
  @inline(__always) static func += (a: inout Self, b: Self) { a = a + b }
  @inline(__always) static func -= (a: inout Self, b: Self) { a = a - b }
}

/// Number types that the potential can be computed in: Float for dynamics, Double for checks, `Dual` for derivatives.
public protocol Real: Equatable, Arithmetic, Elementary {
  /// The number with its derivative along one direction, which plain numbers drop.
  init(_ value: Double, tangent: Double)
  /// The number without its tangent.
  var primal: Double { get }
  /// The tangent; zero for plain numbers.
  var derivative: Double { get }
  /// The number with the opposite sign.
  static prefix func - (a: Self) -> Self
  /// Sine of an angle (radians).
  static func sin(_ x: Self) -> Self
  /// Cosine of an angle (radians).
  static func cos(_ x: Self) -> Self
}

extension Float: Real {
  @inline(__always) public init(_ value: Double, tangent: Double) { self.init(value) }
  @inline(__always) public var primal: Double { Double(self) }
  @inline(__always) public var derivative: Double { 0 }
  @inline(__always) public static func exp(_ x: Float) -> Float { expf(x) }
  @inline(__always) public static func log(_ x: Float) -> Float { logf(x) }
  @inline(__always) public static func sin(_ x: Float) -> Float { sinf(x) }
  @inline(__always) public static func cos(_ x: Float) -> Float { cosf(x) }
}

extension Double: Real {
  @inline(__always) public init(_ value: Double, tangent: Double) { self = value }
  @inline(__always) public var primal: Double { self }
  @inline(__always) public var derivative: Double { 0 }
  @inline(__always) public static func exp(_ x: Double) -> Double { Glibc.exp(x) }
  @inline(__always) public static func log(_ x: Double) -> Double { Glibc.log(x) }
  @inline(__always) public static func sin(_ x: Double) -> Double { Glibc.sin(x) }
  @inline(__always) public static func cos(_ x: Double) -> Double { Glibc.cos(x) }
}

/// A number with its derivative along one direction: v + t·ε, ε² = 0. Any function written over `Real` computes its
/// directional derivative when given dual numbers.
public struct Dual<T: Real>: Real {
  /// The number v.
  public var value: T
  /// The derivative t.
  public var tangent: T

  /// A number with its derivative.
  @inline(__always) public init(_ value: T, _ tangent: T) {
    self.value = value
    self.tangent = tangent
  }

  @inline(__always) public init(_ value: Double) { self.init(T(value), T(0)) }
  @inline(__always) public init(_ value: Double, tangent: Double) { self.init(T(value), T(tangent)) }
  @inline(__always) public var primal: Double { value.primal }
  @inline(__always) public var derivative: Double { tangent.primal }

  @inline(__always) public static func + (a: Dual, b: Dual) -> Dual { Dual(a.value + b.value, a.tangent + b.tangent) }
  @inline(__always) public static func - (a: Dual, b: Dual) -> Dual { Dual(a.value - b.value, a.tangent - b.tangent) }
  @inline(__always) public static prefix func - (a: Dual) -> Dual { Dual(-a.value, -a.tangent) }
  @inline(__always) public static func * (a: Dual, b: Dual) -> Dual {
    Dual(a.value * b.value, a.value * b.tangent + a.tangent * b.value)
  }
  @inline(__always) public static func / (a: Dual, b: Dual) -> Dual {
    let quotient = a.value / b.value
    return Dual(quotient, (a.tangent - quotient * b.tangent) / b.value)
  }
  @inline(__always) public static func exp(_ x: Dual) -> Dual {
    let e = T.exp(x.value)
    return Dual(e, e * x.tangent)
  }
  @inline(__always) public static func log(_ x: Dual) -> Dual { Dual(T.log(x.value), x.tangent / x.value) }
  @inline(__always) public static func sin(_ x: Dual) -> Dual { Dual(T.sin(x.value), T.cos(x.value) * x.tangent) }
  @inline(__always) public static func cos(_ x: Dual) -> Dual { Dual(T.cos(x.value), -T.sin(x.value) * x.tangent) }
}
