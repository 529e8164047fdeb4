import DiffNNP

/// Settings of the triplets that a fit adds to its pair term.
public struct TripletSettings: Equatable, Sendable {
  /// Cutoff (Å); nil for about three times the smallest distance in the data, or that of the pair term where this is
  /// less.
  public var rMax: Double?
  /// Knot intervals up to the cutoff; nil for 12 with one type of atom, 8 with two, 5 with three, 4 with more, because
  /// the number of functions grows with the cube of the types.
  public var intervals: Int?
  /// Highest l of the Legendre polynomials of angles; nil for 3 with one type of atom, 2 with more.
  public var lMax: Int?

  /// The default settings.
  public init() {}

  /// The first setting that is not valid: its key in the configuration, and what is wrong.
  public var fault: (key: String, reason: String)? {
    if let rMax, !(rMax.isFinite && rMax > 0) { return ("r_max", "is \(rMax); expected a positive distance in Å") }
    if let intervals, !(4...50 ~= intervals) { return ("intervals", "is \(intervals); expected 4 to 50") }
    if let lMax, !(0...3 ~= lMax) { return ("l_max", "is \(lMax); expected 0, 1, 2 or 3") }
    return nil
  }

  /// Default cutoff over the smallest distance, which includes the second shell of a liquid.
  private static let relativeCutoff = 3.1

  /// Radial functions for each type of neighbour at least, however large the smallest distance.
  private static let fewestRadial = 4

  private func intervals(typeCount: Int) -> Int { intervals ?? [12, 8, 5, 4][min(typeCount, 4) - 1] }
  private func lMax(typeCount: Int) -> Int { lMax ?? (typeCount == 1 ? 3 : 2) }

  /// Least number of functions, known before the frames are read.
  func fewestFunctions(typeCount: Int) -> Int {
    let channels = typeCount * min(Self.fewestRadial, intervals(typeCount: typeCount))
    return typeCount * (lMax(typeCount: typeCount) + 1) * channels * (channels + 1) / 2
  }

  /// - Parameter closest: smallest distance of each pair of types in the data (Å); infinite where they never meet.
  func basis(_ pairs: PairBasis, closest: [Double]) throws -> TripletBasis {
    let nearest = closest.min()!
    let rMax = rMax ?? min(pairs.rMax, Self.relativeCutoff * nearest)
    guard rMax <= pairs.rMax else {
      throw DiffNNPError("triplets.r_max is \(rMax) Å; expected at most the pair term's, \(pairs.rMax) Å")
    }
    let intervals = intervals(typeCount: pairs.typeCount)
    return try TripletBasis(
      typeCount: pairs.typeCount, rMax: rMax, intervals: intervals,
      first: min(Int(nearest / rMax * Double(intervals)), intervals - Self.fewestRadial),
      lMax: lMax(typeCount: pairs.typeCount),
      floor: RepulsiveWall.floor(pairs, smallestDistances: closest, within: rMax))
  }
}
