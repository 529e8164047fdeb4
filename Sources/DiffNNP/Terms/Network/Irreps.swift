/// An irreducible representation of O(3): degree l and parity.
public struct Irrep: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// Degree l.
  public var l: Int
  /// +1 even, -1 odd.
  public var parity: Int

  /// The irrep of a degree and a parity (+1 or -1).
  public init(_ l: Int, _ parity: Int) {
    self.l = l
    self.parity = parity
  }

  /// The invariant scalar, 0e.
  public static let scalar = Irrep(0, 1)

  /// Number of components, 2l + 1.
  public var dimension: Int { 2 * l + 1 }
  public var description: String { "\(l)\(parity > 0 ? "e" : "o")" }

  /// e3nn's order: by degree, odd before even.
  public static func < (a: Irrep, b: Irrep) -> Bool { (a.l, a.parity) < (b.l, b.parity) }

  /// The irreps in the product of two, by degree.
  public static func * (a: Irrep, b: Irrep) -> [Irrep] {
    (abs(a.l - b.l)...(a.l + b.l)).map { Irrep($0, a.parity * b.parity) }
  }
}

/// A direct sum of irreps with multiplicities, in a fixed order: "8x0e+8x1o".
public struct Irreps: Equatable, Sendable, CustomStringConvertible {
  /// One irrep with its multiplicity.
  public struct Block: Equatable, Sendable {
    /// Number of copies of the irrep: channels.
    public var multiplicity: Int
    /// The irrep that is repeated.
    public var irrep: Irrep

    /// An irrep repeated `multiplicity` times.
    public init(_ multiplicity: Int, _ irrep: Irrep) {
      self.multiplicity = multiplicity
      self.irrep = irrep
    }
  }

  /// Irreps with their multiplicities, in the order in which features lie in memory.
  public var blocks: [Block]

  /// Irreps in the order of their blocks.
  public init(_ blocks: [Block]) { self.blocks = blocks }

  /// Parses e3nn's notation.
  /// - Throws: where the text is not a sum of multiplicities, degrees and parities, as in 8x0e+8x1o.
  public init(_ text: String) throws {
    blocks = try text.split(separator: "+").map { try Self.block(String($0), in: text) }
    guard !blocks.isEmpty else { throw Self.malformed(text) }
  }

  private static func block(_ term: String, in text: String) throws -> Block {
    let trimmed = term.filter { $0 != " " }
    let parts = trimmed.split(separator: "x", omittingEmptySubsequences: false)
    guard let irrep = parts.last, let last = irrep.last, last == "e" || last == "o", parts.count <= 2,
      let l = Int(irrep.dropLast()), (0...16).contains(l),
      let multiplicity = parts.count == 2 ? Int(parts[0]) : 1, (0...65536).contains(multiplicity)
    else { throw malformed(text) }
    return Block(multiplicity, Irrep(l, last == "e" ? 1 : -1))
  }

  private static func malformed(_ text: String) -> DiffNNPError {
    let excerpt = text.count > 60 ? text.prefix(60) + "…" : text[...]
    return DiffNNPError(
      "\(String(excerpt).debugDescription) does not name irreps; expected multiplicities, degrees and parities, "
        + "as in 8x0e+8x1o")
  }

  public var description: String { blocks.map { "\($0.multiplicity)x\($0.irrep)" }.joined(separator: "+") }

  /// Neighbouring blocks of one irrep merged, empty ones dropped.
  public func simplified() -> Irreps {
    var merged: [Block] = []
    for block in blocks where block.multiplicity > 0 {
      if let last = merged.last, last.irrep == block.irrep {
        merged[merged.count - 1].multiplicity += block.multiplicity
      } else {
        merged.append(block)
      }
    }
    return Irreps(merged)
  }

  /// Blocks in e3nn's order; those of one irrep stay in their order.
  public func sorted() -> Irreps {
    Irreps(
      blocks.enumerated().sorted { ($0.element.irrep, $0.offset) < ($1.element.irrep, $1.offset) }.map(\.element))
  }

  /// Whether a block of positive multiplicity has this irrep.
  public func contains(_ irrep: Irrep) -> Bool { blocks.contains { $0.irrep == irrep && $0.multiplicity > 0 } }

  /// Whether a product of one of these with one of `other` holds `irrep`.
  public func reaches(_ irrep: Irrep, through other: Irreps) -> Bool {
    blocks.contains { a in other.blocks.contains { b in (a.irrep * b.irrep).contains(irrep) } }
  }

  /// The direct sum: blocks of a, then those of b.
  public static func + (a: Irreps, b: Irreps) -> Irreps { Irreps(a.blocks + b.blocks) }
}
