/// Carries values of atoms between the domains of a simulation, by two functions of the caller: what a network needs
/// whose atoms are spread over several domains. One for each thread; its buffer only grows.
///
/// All domains make the same calls in the same order, those without atoms and those that fail too: the others would wait
/// for them for ever. Only where a call itself fails, none follows.
public final class AtomExchange {
  /// Called with the context, values [rowCount][width], and the width; gives zero where all went well.
  public typealias Function = @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<Double>?, CInt) -> CInt

  /// The functions of the caller, and what they are called with.
  public struct Functions {
    /// Copies the values of each ghost's owner to the ghost.
    public var forward: Function
    /// Adds the values of each ghost to its owner.
    public var reverse: Function
    public var context: UnsafeMutableRawPointer?

    public init(forward: @escaping Function, reverse: @escaping Function, context: UnsafeMutableRawPointer?) {
      self.forward = forward
      self.reverse = reverse
      self.context = context
    }
  }

  /// Whether a function of the caller reported failure: what was computed since then is worth nothing.
  public private(set) var failed = false
  private var functions: Functions?
  private var rowCount = 0
  private var rows: UnsafePointer<Int32>?
  private var buffer = Buffer<Double>()

  public init() {}

  /// Sets out on the exchanges of one configuration.
  /// - Parameters:
  ///   - rowCount: atoms of the caller, local ones and ghosts.
  ///   - rows: the caller's index of each atom of the edge list [atomCount]; nil for `standIn`.
  public func begin(_ functions: Functions, rowCount: Int, rows: UnsafePointer<Int32>?) {
    self.functions = functions
    self.rowCount = rowCount
    self.rows = rows
    failed = false
  }

  /// All exchanges of a network with zeros, for a domain that cannot compute.
  /// - Parameter widths: `Network.exchangeWidths`.
  public func standIn(widths: [Int]) {
    for width in widths { forward(zeros(width), width) }
    for width in widths.reversed() { reverse(zeros(width), width) }
  }

  /// Copies the values of centres to the ghosts that are copies of them.
  /// - Parameters:
  ///   - pack: writes the values [width] of a centre.
  ///   - unpack: reads those of a ghost.
  @inline(__always)
  func forward(
    _ edges: EdgeList, width: Int, pack: (Int, UnsafeMutablePointer<Double>) -> Void,
    unpack: (Int, UnsafePointer<Double>) -> Void
  ) {
    let (values, rows) = (place(edges, width), rows!)
    for i in 0..<edges.centreCount { pack(i, values + width * Int(rows[i])) }
    forward(values, width)
    for i in edges.centreCount..<edges.atomCount { unpack(i, values + width * Int(rows[i])) }
  }

  /// Adds the values of ghosts to the centres of which they are copies.
  /// - Parameters:
  ///   - pack: writes the values [width] of an atom.
  ///   - unpack: reads the sums of a centre.
  @inline(__always)
  func reverse(
    _ edges: EdgeList, width: Int, pack: (Int, UnsafeMutablePointer<Double>) -> Void,
    unpack: (Int, UnsafePointer<Double>) -> Void
  ) {
    let (values, rows) = (place(edges, width), rows!)
    for i in 0..<edges.atomCount { pack(i, values + width * Int(rows[i])) }
    reverse(values, width)
    for i in 0..<edges.centreCount { unpack(i, values + width * Int(rows[i])) }
  }

  /// Room for the values of all rows; zero where the caller has atoms that the edge list leaves out.
  private func place(_ edges: EdgeList, _ width: Int) -> UnsafeMutablePointer<Double> {
    edges.atomCount < rowCount ? zeros(width) : buffer.reserve(rowCount * width)
  }

  private func zeros(_ width: Int) -> UnsafeMutablePointer<Double> {
    let values = buffer.reserve(rowCount * width)
    values.update(repeating: 0, count: rowCount * width)
    return values
  }

  private func forward(_ values: UnsafeMutablePointer<Double>, _ width: Int) {
    guard let functions, !failed else { return }
    failed = functions.forward(functions.context, values, CInt(width)) != 0
  }

  private func reverse(_ values: UnsafeMutablePointer<Double>, _ width: Int) {
    guard let functions, !failed else { return }
    failed = functions.reverse(functions.context, values, CInt(width)) != 0
  }
}
