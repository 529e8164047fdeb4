/// Keeps triplets and networks from extrapolating to distances below any in the training data, where their energies
/// mean nothing and could outweigh the wall of the pair term. Below r_in, where the wall begins, their radial functions
/// use a distance that decreases more slowly than the real one, r, and from r_in - d down is constant, with continuous
/// second derivatives:
///
///   r_slowed(r) = r_in - d g((r_in - r)/d),   g(x) = x - x³ + x⁴/2 for x < 1, ½ beyond.
///
/// So below r_in - d their energy does not change with r, and along the line between the two atoms the wall alone acts.
/// It does change with the direction of that line, as before.
public struct DistanceFloor: Equatable, Sendable {
  /// r_in (Å) of each pair of types, in the order of `TypePairs.index`; 0 for none.
  public let distances: [Double]
  /// d (Å).
  public let width: Double
  /// The largest r_in (Å): radial functions of atoms farther apart use the real distance.
  public let reach: Double
  private let typeCount: Int

  /// No floor: radial functions always use the real distance.
  public static let none = DistanceFloor()

  private init() { (distances, width, reach, typeCount) = ([], 1, 0, 0) }

  /// A floor that begins at `distances` (Å) for each pair of types [pair].
  /// - Throws: where the distances are not one of at least 0 for each pair of types, or the width is not positive.
  public init(typeCount: Int, distances: [Double], width: Double) throws {
    guard distances.count == TypePairs.count(typeCount), distances.allSatisfy({ $0.isFinite && $0 >= 0 }),
      width.isFinite, width > 0
    else {
      throw DiffNNPError(
        "floor of distances: \(distances.count) distances and width \(width) Å; expected "
          + "\(TypePairs.count(typeCount)) distances from 0 Å on, one for each pair of types, and a positive width")
    }
    self.typeCount = typeCount
    self.distances = distances
    self.width = width
    reach = distances.max() ?? 0
  }

  /// The distance that radial functions use instead of the real one (Å), with its first and second (1/Å) derivative by
  /// the real one.
  struct Floored {
    var distance: Double
    var slope = 1.0
    var curvature = 0.0
  }

  /// The distance that radial functions use for atoms of types a and b at distance r (Å).
  @inline(__always)
  func floored(_ a: Int, _ b: Int, at r: Double) -> Floored { r < reach ? slowed(a, b, at: r) : Floored(distance: r) }

  // Apart, because few atoms are so near.
  @inline(never)
  private func slowed(_ a: Int, _ b: Int, at r: Double) -> Floored {
    let start = distances[TypePairs.index(a, b, typeCount: typeCount)]
    guard r < start else { return Floored(distance: r) }
    let x = min((start - r) / width, 1)
    // Rounding must not make it negative, for which there is no interval of a table.
    let distance = max(start - width * x * (1 - x * x * (1 - 0.5 * x)), 0)
    return Floored(
      distance: distance, slope: 1 - x * x * (3 - 2 * x),
      curvature: 6 * x * (1 - x) / width)
  }
}

extension DistanceFloor {
  /// Members of a term's metadata that describe the floor; empty where there is none.
  var json: [JSONValue.Member] {
    self == .none ? [] : [.init("floor", ["distances": JSONValue(distances), "width": .number(width)])]
  }

  /// Reads the floor from the metadata of a term.
  init(json settings: JSONValue, typeCount: Int) throws {
    guard let floor = settings["floor"] else {
      self = .none
      return
    }
    guard let distances = floor["distances"]?.doubles, let width = floor["width"]?.double else {
      throw DiffNNPError("\"floor\" needs a list of distances and the number width")
    }
    try self.init(typeCount: typeCount, distances: distances, width: width)
  }

  /// - Throws: where the floor is not that of a term with so many types and this cutoff (Å).
  func check(typeCount: Int, within rMax: Double) throws {
    guard self == .none || self.typeCount == typeCount, reach <= rMax else {
      throw DiffNNPError(
        "a floor of distances begins at \(reach) Å, for \(self.typeCount) types; expected at most the cutoff, \(rMax) Å, "
          + "and \(typeCount) types")
    }
  }
}
