/// A few channels side by side: the unit of all arithmetic on features. Plain lanes are SIMD vectors; dual lanes
/// carry a tangent for each channel.
protocol Lanes {
  /// One channel.
  associatedtype Scalar: Real
  /// Lanes of weights, which have no tangent.
  associatedtype Weight: Lanes where Weight.Weight == Weight

  static var width: Int { get }
  static var zero: Self { get }
  static func * (a: Self, b: Self) -> Self
  /// self += a·b
  mutating func add(_ a: Self, times b: Self)
  mutating func add(_ a: Self, times b: Scalar)
  mutating func add(weight: Weight, times b: Scalar)
  mutating func add(_ a: Self, constant c: Weight.Scalar)
  /// Sum over the channels.
  func sum() -> Scalar

  /// Channel `index` of consecutive lanes.
  static func load(_ lanes: UnsafePointer<Self>, _ index: Int) -> Scalar
  static func store(_ value: Scalar, _ lanes: UnsafeMutablePointer<Self>, _ index: Int)
  /// y·c for a constant c.
  static func product(_ y: Scalar, _ c: Weight.Scalar) -> Scalar

  /// What a product g·x adds to the gradient of a weight that multiplies x, where g is the gradient with respect to
  /// the result: g·x itself or, where there are tangents, its tangent.
  static func weightGradient(_ g: Self, _ x: Scalar) -> Weight
  /// The same for a weight that is added.
  static func weightGradient(_ g: Self) -> Weight
}

/// Lanes without tangents.
protocol PlainLanes: Lanes, SIMD where Weight == Self, Scalar: FloatingPoint & SIMDScalar {}

extension PlainLanes {
  @inline(__always) static var width: Int { scalarCount }
  @inline(__always) mutating func add(_ a: Self, times b: Self) { addProduct(a, b) }
  @inline(__always) mutating func add(_ a: Self, times b: Scalar) { addProduct(a, Self(repeating: b)) }
  @inline(__always) mutating func add(weight: Self, times b: Scalar) { addProduct(weight, Self(repeating: b)) }
  @inline(__always) mutating func add(_ a: Self, constant c: Scalar) { addProduct(a, Self(repeating: c)) }
  @inline(__always) static func load(_ lanes: UnsafePointer<Self>, _ index: Int) -> Scalar {
    UnsafeRawPointer(lanes).load(fromByteOffset: index &* MemoryLayout<Scalar>.stride, as: Scalar.self)
  }
  @inline(__always) static func store(_ value: Scalar, _ lanes: UnsafeMutablePointer<Self>, _ index: Int) {
    UnsafeMutableRawPointer(lanes)
      .storeBytes(of: value, toByteOffset: index &* MemoryLayout<Scalar>.stride, as: Scalar.self)
  }
  @inline(__always) static func product(_ y: Scalar, _ c: Scalar) -> Scalar { y * c }
  @inline(__always) static func weightGradient(_ g: Self, _ x: Scalar) -> Self { g * x }
  @inline(__always) static func weightGradient(_ g: Self) -> Self { g }
}

extension SIMD8<Float>: PlainLanes, Lanes {
  typealias Weight = Self
}

extension SIMD4<Double>: PlainLanes, Lanes {
  typealias Weight = Self
}

/// Lanes with a tangent for each channel.
struct DualLanes<Plain: PlainLanes>: Lanes {
  typealias Scalar = Dual<Plain.Scalar>
  typealias Weight = Plain

  var value: Plain
  var tangent: Plain

  @inline(__always) init(_ value: Plain, _ tangent: Plain) {
    self.value = value
    self.tangent = tangent
  }

  @inline(__always) static var width: Int { Plain.width }
  @inline(__always) static var zero: Self { Self(Plain.zero, Plain.zero) }

  @inline(__always) static func * (a: Self, b: Self) -> Self {
    var tangent = a.value * b.tangent
    tangent.add(a.tangent, times: b.value)
    return Self(a.value * b.value, tangent)
  }
  @inline(__always) mutating func add(_ a: Self, times b: Self) {
    value.add(a.value, times: b.value)
    tangent.add(a.value, times: b.tangent)
    tangent.add(a.tangent, times: b.value)
  }
  @inline(__always) mutating func add(_ a: Self, times b: Scalar) {
    value.add(a.value, times: b.value)
    tangent.add(a.value, times: b.tangent)
    tangent.add(a.tangent, times: b.value)
  }
  @inline(__always) mutating func add(weight: Plain, times b: Scalar) {
    value.add(weight, times: b.value)
    tangent.add(weight, times: b.tangent)
  }
  @inline(__always) mutating func add(_ a: Self, constant c: Plain.Scalar) {
    value.add(a.value, constant: c)
    tangent.add(a.tangent, constant: c)
  }
  @inline(__always) func sum() -> Scalar { Scalar(value.sum(), tangent.sum()) }

  @inline(__always) static func load(_ lanes: UnsafePointer<Self>, _ index: Int) -> Scalar {
    let (lane, raw) = address(UnsafeRawPointer(lanes), index)
    return Scalar(
      raw.load(fromByteOffset: lane, as: Plain.Scalar.self),
      raw.load(fromByteOffset: lane &+ MemoryLayout<Plain>.stride, as: Plain.Scalar.self))
  }
  @inline(__always) static func store(_ x: Scalar, _ lanes: UnsafeMutablePointer<Self>, _ index: Int) {
    let (lane, raw) = address(UnsafeRawPointer(lanes), index)
    let target = UnsafeMutableRawPointer(mutating: raw)
    target.storeBytes(of: x.value, toByteOffset: lane, as: Plain.Scalar.self)
    target.storeBytes(of: x.tangent, toByteOffset: lane &+ MemoryLayout<Plain>.stride, as: Plain.Scalar.self)
  }
  @inline(__always) private static func address(_ raw: UnsafeRawPointer, _ index: Int) -> (Int, UnsafeRawPointer) {
    let width = Plain.scalarCount
    return (
      (index % width) &* MemoryLayout<Plain.Scalar>.stride,
      raw + (index / width) &* MemoryLayout<Self>.stride
    )
  }

  @inline(__always) static func product(_ y: Scalar, _ c: Plain.Scalar) -> Scalar {
    Scalar(y.value * c, y.tangent * c)
  }
  @inline(__always) static func weightGradient(_ g: Self, _ x: Scalar) -> Plain {
    var gradient = g.value * x.tangent
    gradient.addProduct(g.tangent, Plain(repeating: x.value))
    return gradient
  }
  @inline(__always) static func weightGradient(_ g: Self) -> Plain { g.tangent }
}
