/// Carries values of atoms between the domains of a simulation, by functions of the caller, as a network needs it whose
/// atoms are spread over several domains. One for each thread; its buffer only grows.
///
/// All domains make the same calls in the same order, those without atoms and those that fail too: the others would
/// wait for them for ever. Only where a call itself fails, none follows.
public final class AtomExchange {
  /// Called with the context, values [rowCount][width], and the width; gives zero where all went well.
  public typealias Function = @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<Double>?, CInt) -> CInt
  /// A function like `Function` for values in single precision.
  public typealias SingleFunction =
    @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<Float>?, CInt) -> CInt

  /// The functions of the caller, and what they are called with.
  public struct Functions {
    /// Copies the values of each ghost's owner to the ghost.
    public var forward: Function
    /// Adds the values of each ghost to its owner.
    public var reverse: Function
    /// The functions `forward` and `reverse` in single precision; where they are given, a network of single precision
    /// calls these alone.
    public var single: (forward: SingleFunction, reverse: SingleFunction)?
    /// First argument of every call.
    public var context: UnsafeMutableRawPointer?

    /// The caller's functions, with the context that is their first argument.
    public init(
      forward: @escaping Function, reverse: @escaping Function,
      single: (forward: SingleFunction, reverse: SingleFunction)? = nil, context: UnsafeMutableRawPointer?
    ) {
      self.forward = forward
      self.reverse = reverse
      self.single = single
      self.context = context
    }
  }

  private enum Way {
    case forward, reverse
  }

  /// Whether a function of the caller reported failure: everything computed since then is worthless.
  public private(set) var failed = false
  /// Precision of the values that travel.
  private(set) var precision = Precision.double
  private var functions: Functions?
  private var rowCount = 0
  private var rows: UnsafePointer<Int32>?
  private var buffer = Buffer<Double>()

  /// An exchange that has not begun.
  public init() {}

  /// Sets out on the exchanges of one configuration.
  /// - Parameters:
  ///   - precision: that of the network.
  ///   - rowCount: atoms of the caller, local ones and ghosts.
  ///   - rows: the caller's index of each atom of the edge list [atomCount], in ascending order; nil for `standIn`.
  ///   - widths: `Network.exchangeWidths`.
  /// - Throws: `OutOfMemory`.
  public func begin(
    _ functions: Functions, precision: Precision, rowCount: Int, rows: UnsafePointer<Int32>?, widths: [Int]
  ) throws {
    failed = false
    self.functions = functions
    self.precision = functions.single == nil ? .double : precision
    self.rowCount = rowCount
    self.rows = rows
    let size = self.precision == .single ? MemoryLayout<Float>.size : MemoryLayout<Double>.size
    try buffer.reserve((rowCount * (widths.max() ?? 0) * size + 7) / 8)
  }

  /// All exchanges of a network with zeros, for a domain that cannot compute.
  /// - Parameter widths: `Potential.exchangeWidths`.
  public func standIn(widths: [Int]) {
    switch precision {
    case .single: standIn(widths, as: Float.self)
    case .double: standIn(widths, as: Double.self)
    }
  }

  private func standIn<Value: FloatingPoint>(_ widths: [Int], as type: Value.Type) {
    for width in widths { call(.forward, zeros(type, width), width) }
    for width in widths.reversed() { call(.reverse, zeros(type, width), width) }
  }

  /// Copies the values of centres to the ghosts that are copies of them.
  /// - Parameters:
  ///   - inPlace: the values of all atoms of the edge list [atomCount][width], where they lie like that; they travel
  ///     from there, without a copy, if no atom of the caller is left out.
  ///   - pack: writes the values [width] of a centre.
  ///   - unpack: reads those of a ghost.
  @inline(__always)
  func forward<Value: FloatingPoint>(
    _ edges: EdgePointers, width: Int, inPlace: UnsafeMutablePointer<Value>?,
    pack: (Int, UnsafeMutablePointer<Value>) -> Void, unpack: (Int, UnsafePointer<Value>) -> Void
  ) {
    if let inPlace, edges.atomCount == rowCount { return call(.forward, inPlace, width) }
    let (values, rows) = (place(Value.self, edges, width), rows!)
    assertRows(edges)
    for i in 0..<edges.centreCount { pack(i, values + width * Int(rows[i])) }
    call(.forward, values, width)
    for i in edges.centreCount..<edges.atomCount { unpack(i, values + width * Int(rows[i])) }
  }

  /// Adds the values of ghosts to the centres of which they are copies.
  /// - Parameters:
  ///   - inPlace: as in `forward`; what is left in the ghosts does not matter.
  ///   - pack: writes the values [width] of an atom.
  ///   - unpack: reads the sums of a centre.
  @inline(__always)
  func reverse<Value: FloatingPoint>(
    _ edges: EdgePointers, width: Int, inPlace: UnsafeMutablePointer<Value>?,
    pack: (Int, UnsafeMutablePointer<Value>) -> Void, unpack: (Int, UnsafePointer<Value>) -> Void
  ) {
    if let inPlace, edges.atomCount == rowCount { return call(.reverse, inPlace, width) }
    let (values, rows) = (place(Value.self, edges, width), rows!)
    assertRows(edges)
    for i in 0..<edges.atomCount { pack(i, values + width * Int(rows[i])) }
    call(.reverse, values, width)
    for i in 0..<edges.centreCount { unpack(i, values + width * Int(rows[i])) }
  }

  /// Asserts that each atom of the edge list has a row.
  @inline(__always)
  private func assertRows(_ edges: EdgePointers) {
    assert(
      (0..<edges.atomCount).allSatisfy { i in rows.map { 0..<rowCount ~= Int($0[i]) } ?? false },
      "an atom of the edge list has no row among \(rowCount)")
  }

  /// Room for the values of all rows; zero where the caller has atoms that the edge list leaves out.
  private func place<Value: FloatingPoint>(
    _ type: Value.Type, _ edges: EdgePointers, _ width: Int
  ) -> UnsafeMutablePointer<Value> {
    edges.atomCount < rowCount ? zeros(type, width) : reserve(type, width)
  }

  private func zeros<Value: FloatingPoint>(_ type: Value.Type, _ width: Int) -> UnsafeMutablePointer<Value> {
    let values = reserve(type, width)
    values.update(repeating: 0, count: rowCount * width)
    return values
  }

  private func reserve<Value: FloatingPoint>(_ type: Value.Type, _ width: Int) -> UnsafeMutablePointer<Value> {
    let count = rowCount * width
    assert(
      buffer.holds((count * MemoryLayout<Value>.stride + 7) / 8), "width \(width) is none of those that were announced")
    return UnsafeMutableRawPointer(buffer.pointer).bindMemory(to: type, capacity: count)
  }

  private func call<Value: FloatingPoint>(_ way: Way, _ values: UnsafeMutablePointer<Value>, _ width: Int) {
    guard let functions, !failed else { return }
    let raw = UnsafeMutableRawPointer(values)
    switch precision {
    case .single:
      guard let single = functions.single else { return }
      let function = way == .forward ? single.forward : single.reverse
      failed = function(functions.context, raw.assumingMemoryBound(to: Float.self), CInt(width)) != 0
    case .double:
      let function = way == .forward ? functions.forward : functions.reverse
      failed = function(functions.context, raw.assumingMemoryBound(to: Double.self), CInt(width)) != 0
    }
  }
}
