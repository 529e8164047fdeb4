/// Unordered pairs of atom types, in the order (0,0), (0,1), …, (1,1), …: the row index of every table with one row for
/// each pair.
public enum TypePairs {
  /// Number of unordered pairs of `typeCount` types.
  public static func count(_ typeCount: Int) -> Int { typeCount * (typeCount + 1) / 2 }

  /// The row of the pair of types a and b, in either order.
  @inlinable @inline(__always)
  public static func index(_ a: Int, _ b: Int, typeCount: Int) -> Int {
    let (low, high) = a < b ? (a, b) : (b, a)
    return low * typeCount - low * (low - 1) / 2 + (high - low)
  }
}
