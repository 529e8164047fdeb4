import DiffNNP

/// An unordered pair of atom types, first ≤ second.
public struct TypePair: Hashable, Sendable {
  /// Indices into a list of type names.
  public let first: Int
  public let second: Int

  public init(_ a: Int, _ b: Int) {
    first = min(a, b)
    second = max(a, b)
  }

  /// All pairs of `typeCount` types, in the order of `TypePairs.index`.
  public static func all(typeCount: Int) -> [TypePair] {
    (0..<typeCount).flatMap { a in (a..<typeCount).map { TypePair(a, $0) } }
  }

  /// "Li–Cl", for readers.
  public func label(_ typeNames: [String]) -> String { "\(typeNames[first])–\(typeNames[second])" }

  /// "LiCl", for keys of tables and JSON.
  public func key(_ typeNames: [String]) -> String { typeNames[first] + typeNames[second] }

  /// "LiCl" and "ClLi": either order means the same pair.
  func keys(_ typeNames: [String]) -> [String] { [key(typeNames), typeNames[second] + typeNames[first]] }
}
