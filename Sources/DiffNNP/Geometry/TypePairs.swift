/// Pairs of types of atoms, (a, b) the same as (b, a), in the order (0,0), (0,1), …, (1,1), …: rows of all tables that have one for
/// each pair.
public enum TypePairs {
  /// How many there are.
  public static func count(_ typeCount: Int) -> Int { typeCount * (typeCount + 1) / 2 }

  /// The row of types a and b.
  @inlinable @inline(__always)
  public static func index(_ a: Int, _ b: Int, typeCount: Int) -> Int {
    let (low, high) = a < b ? (a, b) : (b, a)
    return low * typeCount - low * (low - 1) / 2 + (high - low)
  }
}
