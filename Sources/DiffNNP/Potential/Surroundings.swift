/// Description of the surroundings of an atom: for each type b and function k the smooth count of neighbours
/// f_bk = Σ_j∈b B(r_ij/h - k + 3), with uniform cubic B-splines B of knot spacing h on [0, rMax]. The last three
/// functions are left out, so that neighbours come and go smoothly at rMax.
public struct Surroundings: Equatable, Sendable {
  /// Number of atom types.
  public let typeCount: Int
  /// Cutoff (Å): neighbours farther away do not count.
  public let rMax: Double
  /// Knot intervals in [0, rMax]; also the number of functions for each type of neighbour.
  public let intervals: Int

  /// Numbers that describe an atom.
  public var dimension: Int { typeCount * intervals }
  /// Numbers that describe an atom, the functions that are left out included: room that `describe` needs.
  public var paddedDimension: Int { typeCount * (intervals + 3) }

  /// Most functions of a type in a sound file: more are a sign of damage, and matrices grow with their square.
  private static let mostIntervals = 200

  /// A description of neighbours of `typeCount` types within rMax (Å) by `intervals` functions for each type.
  /// - Throws: where there is no type, the cutoff is not positive, or `intervals` is below 1 or too large.
  public init(typeCount: Int, rMax: Double, intervals: Int) throws {
    guard typeCount > 0, rMax.isFinite, rMax > 0, 1...Self.mostIntervals ~= intervals else {
      throw DiffNNPError(
        "surroundings of \(typeCount) types, \(intervals) functions up to \(rMax) Å; "
          + "expected 1 to \(Self.mostIntervals) functions and a positive cutoff")
    }
    self.typeCount = typeCount
    self.rMax = rMax
    self.intervals = intervals
  }

  /// Describes a centre of an edge list.
  /// - Parameters:
  ///   - f: receives the description [dimension].
  ///   - padded: room for [paddedDimension] numbers.
  public func describe(
    _ centre: Int, _ edges: EdgeList, into f: UnsafeMutablePointer<Double>, _ padded: UnsafeMutablePointer<Double>
  ) {
    EdgePointers(edges).assertSound(for: centre..<centre + 1, typeCount: typeCount)
    padded.update(repeating: 0, count: paddedDimension)
    let inverseSpacing = Double(intervals) / rMax
    let stride = intervals + 3
    for e in Int(edges.offsets[centre])..<Int(edges.offsets[centre + 1]) where edges.lengths[e] < rMax {
      let (m, t) = CubicBSpline.locate(edges.lengths[e] * inverseSpacing, count: intervals)
      let values = CubicBSpline.basis(t).value
      let place = padded + Int(edges.types[Int(edges.neighbours[e])]) * stride + m
      for k in 0..<4 { place[k] += values[k] }
    }
    for b in 0..<typeCount {
      for k in 0..<intervals { f[b * intervals + k] = padded[b * stride + k] }
    }
  }
}
