/// A few channels side by side: the unit of all arithmetic on features. Plain lanes are SIMD vectors; dual lanes
/// carry a tangent for each channel.
protocol Lanes: Elementary {
  /// One channel.
  associatedtype Scalar: Real
  /// Lanes of weights, which have no tangent.
  associatedtype Weight: Lanes where Weight.Weight == Weight

  static var width: Int { get }
  static var zero: Self { get }
  /// self += a·b
  mutating func add(_ a: Self, times b: Self)
  mutating func add(_ a: Self, times b: Scalar)
  mutating func add(weight: Weight, times b: Scalar)
  mutating func add(_ a: Self, constant c: Weight.Scalar)
  /// Sum over the channels.
  func sum() -> Scalar
  /// Sums over the channels of each of four consecutive lanes.
  static func sumFour(_ lanes: UnsafePointer<Self>, into sums: UnsafeMutablePointer<Scalar>)
  /// Lanes without a tangent.
  init(weight: Weight)

  /// Channel `index` of consecutive lanes.
  static func load(_ lanes: UnsafePointer<Self>, _ index: Int) -> Scalar
  static func store(_ value: Scalar, _ lanes: UnsafeMutablePointer<Self>, _ index: Int)

  /// The polynomial c₀ + c₁t + c₂t² + c₃t³ and its derivative by t.
  static func spline(_ c: UnsafePointer<Weight>, at t: Scalar) -> (value: Self, slope: Self)

  /// What a product g·x adds to the gradient of a weight that multiplies x, where g is the gradient with respect to
  /// the result: g·x itself or, where there are tangents, its tangent.
  static func weightGradient(_ g: Self, _ x: Scalar) -> Weight
  /// What a gradient g with respect to a result adds to the gradient of a weight that is added: g itself or, where
  /// there are tangents, its tangent.
  static func weightGradient(_ g: Self) -> Weight
}

extension Lanes {
  /// Sums over the channels of each of `count` consecutive lanes, and of as many more as make it a multiple of four;
  /// `count` is 16 at most. Straight code, because a loop would be vectorised across its turns.
  @inline(__always)
  static func sum(_ lanes: UnsafePointer<Self>, _ count: Int, into sums: UnsafeMutablePointer<Scalar>) {
    assert(1...16 ~= count)
    sumFour(lanes, into: sums)
    guard count > 4 else { return }
    sumFour(lanes + 4, into: sums + 4)
    guard count > 8 else { return }
    sumFour(lanes + 8, into: sums + 8)
    guard count > 12 else { return }
    sumFour(lanes + 12, into: sums + 12)
  }
}

/// Lanes without tangents.
protocol PlainLanes: Lanes, SIMD where Weight == Self, Scalar: FloatingPoint & SIMDScalar {
  /// Sums over the channels of each of four vectors.
  static func sums(_ a: Self, _ b: Self, _ c: Self, _ d: Self) -> SIMD4<Scalar>
}

extension SIMD where Scalar: Real {
  @inline(__always)
  fileprivate func map(_ f: (Scalar) -> Scalar) -> Self {
    var y = self
    for k in 0..<scalarCount { y[k] = f(self[k]) }
    return y
  }
}

extension PlainLanes {
  @inline(__always) static var width: Int { scalarCount }
  @inline(__always) public static func constant(_ value: Double) -> Self { Self(repeating: Scalar(value)) }
  @inline(__always) public static func log(_ x: Self) -> Self { x.map(Scalar.log) }
  @inline(__always) mutating func add(_ a: Self, times b: Self) { multiplyAdd(a, b) }
  @inline(__always) mutating func add(_ a: Self, times b: Scalar) { multiplyAdd(a, Self(repeating: b)) }
  @inline(__always) mutating func add(weight: Self, times b: Scalar) { multiplyAdd(weight, Self(repeating: b)) }
  @inline(__always) mutating func add(_ a: Self, constant c: Scalar) { multiplyAdd(a, Self(repeating: c)) }
  @inline(__always) init(weight: Self) { self = weight }
  @inline(__always) static func load(_ lanes: UnsafePointer<Self>, _ index: Int) -> Scalar {
    UnsafeRawPointer(lanes).load(fromByteOffset: index &* MemoryLayout<Scalar>.stride, as: Scalar.self)
  }
  @inline(__always) static func store(_ value: Scalar, _ lanes: UnsafeMutablePointer<Self>, _ index: Int) {
    UnsafeMutableRawPointer(lanes)
      .storeBytes(of: value, toByteOffset: index &* MemoryLayout<Scalar>.stride, as: Scalar.self)
  }
  @inline(__always) static func sumFour(_ lanes: UnsafePointer<Self>, into sums: UnsafeMutablePointer<Scalar>) {
    let four = Self.sums(lanes[0], lanes[1], lanes[2], lanes[3])
    UnsafeMutableRawPointer(sums).storeBytes(of: four, as: SIMD4<Scalar>.self)
  }
  /// By Horner's scheme; that of the slope uses intermediate results of that of the value.
  @inline(__always) static func spline(_ c: UnsafePointer<Self>, at t: Scalar) -> (value: Self, slope: Self) {
    let t = Self(repeating: t)
    let value2 = c[2].multiplyAdding(c[3], t)
    let value1 = c[1].multiplyAdding(value2, t)
    let slope2 = value2.multiplyAdding(c[3], t)
    return (c[0].multiplyAdding(value1, t), value1.multiplyAdding(slope2, t))
  }
  @inline(__always) static func weightGradient(_ g: Self, _ x: Scalar) -> Self { g * x }
  @inline(__always) static func weightGradient(_ g: Self) -> Self { g }
}

extension SIMD8<Float>: PlainLanes, Lanes, Elementary {
  typealias Weight = Self

  @inline(__always) public static func select(_ x: Self, negative a: Self, else b: Self) -> Self {
    b.replacing(with: a, where: x .< .zero)
  }

  /// e^x = 2ⁿ e^r with |r| ≤ ½ log 2, and e^r by Taylor's series, whose first term left out is 5 · 10⁻⁹: within 2 ulp
  /// of the exact value. Below -86.5 and above 88 it stays as it is there: finite, and not denormal.
  @inline(__always) public static func exp(_ x: Self) -> Self {
    let (lowest, highest) = (Self(repeating: -86.5), Self(repeating: 88))
    var r = x.replacing(with: lowest, where: x .< lowest)
    r = r.replacing(with: highest, where: r .> highest)
    // Adding 1.5 · 2²³ rounds to an integer, which is then in the last bits.
    let shift = Self(repeating: 12_582_912)
    var shifted = shift
    shifted.multiplyAdd(r, Self(repeating: 1.44269504))
    let n = shifted - shift
    r.multiplyAdd(n, Self(repeating: -0.693359375))
    r.multiplyAdd(n, Self(repeating: 2.12194440e-4))
    var series = Self(repeating: 1 / 5040)
    series = Self(repeating: 1 / 720).multiplyAdding(series, r)
    series = Self(repeating: 1 / 120).multiplyAdding(series, r)
    series = Self(repeating: 1 / 24).multiplyAdding(series, r)
    series = Self(repeating: 1 / 6).multiplyAdding(series, r)
    series = Self(repeating: 1 / 2).multiplyAdding(series, r)
    series = Self(repeating: 1).multiplyAdding(series, r)
    series = Self(repeating: 1).multiplyAdding(series, r)
    let bits = unsafeBitCast(series, to: SIMD8<Int32>.self) &+ (unsafeBitCast(shifted, to: SIMD8<Int32>.self) &<< 23)
    return unsafeBitCast(bits, to: Self.self)
  }

  @inline(__always) func sum() -> Float { (lowHalf + highHalf).treeSum }
  @inline(__always) static func sums(_ a: Self, _ b: Self, _ c: Self, _ d: Self) -> SIMD4<Float> {
    .treeSums(a.lowHalf + a.highHalf, b.lowHalf + b.highHalf, c.lowHalf + c.highHalf, d.lowHalf + d.highHalf)
  }
}

/// For processors with vectors of this width, where the channels fill them: half the instructions, and registers for
/// twice the sums.
extension SIMD16<Float>: PlainLanes, Lanes, Elementary {
  typealias Weight = Self

  @inline(__always) public static func select(_ x: Self, negative a: Self, else b: Self) -> Self {
    b.replacing(with: a, where: x .< .zero)
  }
  @inline(__always) public static func exp(_ x: Self) -> Self {
    Self(lowHalf: .exp(x.lowHalf), highHalf: .exp(x.highHalf))
  }
  @inline(__always) func sum() -> Float { (lowHalf + highHalf).sum() }
  @inline(__always) static func sums(_ a: Self, _ b: Self, _ c: Self, _ d: Self) -> SIMD4<Float> {
    SIMD8.sums(a.lowHalf + a.highHalf, b.lowHalf + b.highHalf, c.lowHalf + c.highHalf, d.lowHalf + d.highHalf)
  }
}

extension SIMD4<Double>: PlainLanes, Lanes, Elementary {
  typealias Weight = Self

  @inline(__always) public static func select(_ x: Self, negative a: Self, else b: Self) -> Self {
    b.replacing(with: a, where: x .< .zero)
  }
  @inline(__always) public static func exp(_ x: Self) -> Self { x.map(Double.exp) }
  @inline(__always) func sum() -> Double { treeSum }
  @inline(__always) static func sums(_ a: Self, _ b: Self, _ c: Self, _ d: Self) -> SIMD4<Double> {
    .treeSums(a, b, c, d)
  }
}

/// The standard library's `sum` adds one element after the other.
extension SIMD4 where Scalar: FloatingPoint {
  @inline(__always) fileprivate var treeSum: Scalar {
    let halves = lowHalf + highHalf
    return halves.x + halves.y
  }

  @inline(__always) fileprivate static func treeSums(_ a: Self, _ b: Self, _ c: Self, _ d: Self) -> Self {
    pairSums(pairSums(a, b), pairSums(c, d))
  }

  @inline(__always) private static func pairSums(_ a: Self, _ b: Self) -> Self {
    Self(lowHalf: a.evenHalf + a.oddHalf, highHalf: b.evenHalf + b.oddHalf)
  }
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

  @inline(__always) static func constant(_ value: Double) -> Self { Self(.constant(value), .zero) }
  @inline(__always) static func select(_ x: Self, negative a: Self, else b: Self) -> Self {
    Self(
      .select(x.value, negative: a.value, else: b.value), .select(x.value, negative: a.tangent, else: b.tangent))
  }
  @inline(__always) static func exp(_ x: Self) -> Self {
    let e = Plain.exp(x.value)
    return Self(e, e * x.tangent)
  }
  @inline(__always) static func log(_ x: Self) -> Self { Self(Plain.log(x.value), x.tangent / x.value) }
  @inline(__always) static func + (a: Self, b: Self) -> Self { Self(a.value + b.value, a.tangent + b.tangent) }
  @inline(__always) static func - (a: Self, b: Self) -> Self { Self(a.value - b.value, a.tangent - b.tangent) }
  @inline(__always) static func / (a: Self, b: Self) -> Self {
    let quotient = a.value / b.value
    return Self(quotient, (a.tangent - quotient * b.tangent) / b.value)
  }
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
  @inline(__always) init(weight: Plain) { self.init(weight, .zero) }
  @inline(__always) func sum() -> Scalar { Scalar(value.sum(), tangent.sum()) }
  @inline(__always) static func sumFour(_ lanes: UnsafePointer<Self>, into sums: UnsafeMutablePointer<Scalar>) {
    let values = Plain.sums(lanes[0].value, lanes[1].value, lanes[2].value, lanes[3].value)
    let tangents = Plain.sums(lanes[0].tangent, lanes[1].tangent, lanes[2].tangent, lanes[3].tangent)
    for i in 0..<4 { sums[i] = Scalar(values[i], tangents[i]) }
  }

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

  @inline(__always) static func spline(_ c: UnsafePointer<Plain>, at t: Scalar) -> (value: Self, slope: Self) {
    let (value, slope) = Plain.spline(c, at: t.value)
    let three = Plain(repeating: 3 * t.value)
    let half = c[2].multiplyAdding(c[3], three)
    let tangent = Plain(repeating: t.tangent)
    return (Self(value, slope * tangent), Self(slope, (half + half) * tangent))
  }
  @inline(__always) static func weightGradient(_ g: Self, _ x: Scalar) -> Plain {
    var gradient = g.value * x.tangent
    gradient.multiplyAdd(g.tangent, Plain(repeating: x.value))
    return gradient
  }
  @inline(__always) static func weightGradient(_ g: Self) -> Plain { g.tangent }
}
