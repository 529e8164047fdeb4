import DiffNNP

/// An unordered pair of atom types, first ≤ second.
public struct TypePair: Hashable, Sendable {
  /// Indices `first` and `second` of the types in a list of type names.
  public let first: Int
  public let second: Int

  /// The pair of two types, given in either order.
  public init(_ a: Int, _ b: Int) {
    first = min(a, b)
    second = max(a, b)
  }

  /// All pairs of `typeCount` types, in the order of `TypePairs.index`.
  public static func all(typeCount: Int) -> [TypePair] {
    (0..<typeCount).flatMap { a in (a..<typeCount).map { TypePair(a, $0) } }
  }

  /// Label for readers: "Li–Cl".
  public func label(_ typeNames: [String]) -> String { "\(typeNames[first])–\(typeNames[second])" }

  /// Key for tables and JSON: "LiCl".
  public func key(_ typeNames: [String]) -> String { typeNames[first] + typeNames[second] }

  /// The keys of both orders, "LiCl" and "ClLi", which mean the same pair.
  func keys(_ typeNames: [String]) -> [String] { [key(typeNames), typeNames[second] + typeNames[first]] }
}
