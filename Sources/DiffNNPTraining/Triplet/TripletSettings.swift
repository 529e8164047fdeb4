import DiffNNP

/// Settings of the triplets that a fit adds to its pair term.
public struct TripletSettings: Equatable, Sendable {
  /// Cutoff (Å); nil for about three times the smallest distance in the data, or that of the pair term where this is less.
  public var rMax: Double?
  /// Knot intervals up to the cutoff.
  public var intervals = 6
  /// Highest l of the Legendre polynomials of angles.
  public var lMax = 2

  public init() {}

  /// The first setting that makes no sense: its key in the configuration, and what is wrong.
  public var fault: (key: String, reason: String)? {
    if let rMax, !(rMax.isFinite && rMax > 0) { return ("r_max", "is \(rMax); expected a positive distance in Å") }
    if !(4...50 ~= intervals) { return ("intervals", "is \(intervals); expected 4 to 50") }
    if !(0...3 ~= lMax) { return ("l_max", "is \(lMax); expected 0, 1, 2 or 3") }
    return nil
  }

  /// The cutoff over the smallest distance: with the second shell of a liquid.
  private static let relativeCutoff = 3.1

  /// - Parameter closest: smallest distance of each pair of types in the data (Å); infinite where they never meet.
  func basis(_ pairs: PairBasis, closest: [Double]) throws -> TripletBasis {
    let closest = closest.min()!
    let rMax = rMax ?? min(pairs.rMax, Self.relativeCutoff * closest)
    guard rMax <= pairs.rMax else {
      throw DiffNNPError("triplets.r_max is \(rMax) Å; expected at most the pair term's, \(pairs.rMax) Å")
    }
    return try TripletBasis(
      typeCount: pairs.typeCount, rMax: rMax, intervals: intervals,
      first: min(Int(closest / rMax * Double(intervals)), intervals - 4), lMax: lMax)
  }
}
