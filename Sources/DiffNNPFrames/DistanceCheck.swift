import DiffNNP

/// Checks the smallest distances of frames one after the other: refuses frames that no calculation can use, and finds
/// out where lengths are in another unit than assumed.
struct DistanceCheck {
  /// Atoms closer than this (Å) coincide.
  private static let coincidence = 1e-3
  /// The shortest bond there is, that of H2, has 0.74 Å: nearest neighbours are not closer than the first distance (Å),
  /// and hardly ever two atoms than the second.
  private static let (closest, closestEver) = (0.6, 0.5)
  /// No hydrogen in a compound with C, N or O is as far (Å) from all other atoms.
  private static let longestHydrogenBond = 1.5
  /// Coordinates beyond this (Å) are not positions of a simulation.
  private static let farthest = 1e9
  /// Number of centres whose neighbours are searched at once.
  private static let batch = 64

  private let search = NeighbourSearch()
  private let edges = EdgeList()
  /// Atoms of frames that have two or more, and those of them with another one closer than `closest`.
  private var atoms = 0
  private var crowded = 0
  private var smallest = (distance: Double.infinity, place: "")
  /// Whether there is hydrogen beside C, N or O, and whether any of it is bonded.
  private var hydrogen = (isThere: false, isBonded: false)

  /// - Parameters:
  ///   - frame: in Å, with short cell vectors.
  ///   - names: of its types.
  /// - Throws: where it cannot be used.
  mutating func add(_ frame: Frame, _ names: [String]) throws {
    try Self.checkNumbers(frame)
    for k in 0..<3 where frame.cell.periodic[k] && length(frame.cell.vectors[k]) < Self.coincidence {
      throw DiffNNPError("atom 1 meets its own image, because the cell is too small; check the cell vectors (Å)")
    }
    let hydrogens = names.map { $0 == "H" }
    if !hydrogen.isThere, names.contains("H"), names.contains(where: { ["C", "N", "O"].contains($0) }) {
      let present = Set(frame.types.map { names[$0] })
      hydrogen.isThere = present.contains("H") && !present.isDisjoint(with: ["C", "N", "O"])
    }
    let looksForBonds = hydrogen.isThere && !hydrogen.isBonded
    // Cells may be small, and must not ask for many images.
    var cutoff = looksForBonds ? Self.longestHydrogenBond : Self.closest
    for k in 0..<3 where frame.cell.periodic[k] { cutoff = min(cutoff, frame.cell.heights[k]) }
    try search.begin(frame.configuration, cutoff: max(cutoff, Self.coincidence))
    try search.begin(edges)
    if frame.positions.count > 1 { atoms += frame.positions.count }
    for start in stride(from: 0, to: frame.positions.count, by: Self.batch) {
      let centres = start..<min(start + Self.batch, frame.positions.count)
      try search.fill(edges, centres: centres)
      for i in centres { try addNeighbours(of: i, frame, hydrogens) }
    }
  }

  private mutating func addNeighbours(of i: Int, _ frame: Frame, _ hydrogens: [Bool]) throws {
    var nearest = (distance: Double.infinity, atom: i)
    for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.lengths[e] < nearest.distance {
      let j = Int(edges.neighbours[e])
      if i != j { nearest = (edges.lengths[e], j) }
    }
    guard nearest.distance > Self.coincidence else {
      throw DiffNNPError("atoms \(i + 1) and \(nearest.atom + 1) are in one place; remove one of them")
    }
    if nearest.distance < Self.closest { crowded += 1 }
    if hydrogens[frame.types[i]], nearest.distance < Self.longestHydrogenBond { hydrogen.isBonded = true }
    if nearest.distance < smallest.distance {
      smallest = (nearest.distance, "atoms \(i + 1) and \(nearest.atom + 1) of frame \(frame.number)")
    }
  }

  private static func checkNumbers(_ frame: Frame) throws {
    guard !frame.positions.isEmpty else { throw DiffNNPError("the frame has no atoms") }
    for (i, x) in frame.positions.enumerated() {
      // The comparison is false for NaN too.
      guard abs(x.x) < farthest, abs(x.y) < farthest, abs(x.z) < farthest else {
        throw DiffNNPError("position of atom \(i + 1) is \(x.x) \(x.y) \(x.z); expected finite coordinates in Å")
      }
    }
    for (i, f) in (frame.forces ?? []).enumerated() {
      guard f.x.isFinite, f.y.isFinite, f.z.isFinite else {
        throw DiffNNPError("force on atom \(i + 1) is not finite: \(f.x) \(f.y) \(f.z)")
      }
    }
  }

  // MARK: What all frames say

  /// The warning about lengths that may be in another unit; nil where there is none.
  /// - Throws: where most atoms have a neighbour closer than any bond.
  func warning() throws -> String? {
    let advice = "for lengths in nm give the units: nano, or nm and that of forces"
    // Half a Bohr radius for an angstrom leaves bonds of light elements where nanometres leave those of others.
    let isBohr = (0.37..<Self.closestEver).contains(smallest.distance)
    let other = isBohr ? " (or by 0.529, as those turned from Bohr to Å twice)" : ""
    let factor = "10 times too small, as lengths in nm are\(other)"
    let found = "\(smallest.place) are \(Self.rounded(smallest.distance)) Å apart"
    guard 2 * crowded <= atoms || crowded == 0 else {
      throw DiffNNPError(
        "most atoms have a neighbour closer than \(Self.closest) Å, where no atoms are (\(found)): lengths seem \(factor); "
          + advice)
    }
    if smallest.distance < Self.closestEver {
      return "\(found), and no two atoms come that close: where lengths are \(factor), \(advice); "
        + "otherwise it is an error, or beads without a core"
    }
    if hydrogen.isThere, !hydrogen.isBonded {
      return
        "no H is closer than \(Self.longestHydrogenBond) Å to any other atom, as where lengths in Bohr are taken for Å, "
        + "and are 1.89 times too large: give the units, electron, or Bohr and that of forces"
    }
    return nil
  }

  private static func rounded(_ x: Double) -> Double { x < 0.01 ? x : (1000 * x).rounded() / 1000 }
}
