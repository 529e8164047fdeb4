import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// Three atom types around an angle: first – centre – second, first ≤ second.
public struct TypeTriple: Hashable, Sendable {
  /// Type of one neighbour, at most `second`.
  public let first: Int
  /// Type of the atom at the apex.
  public let centre: Int
  /// Type of the other neighbour.
  public let second: Int

  /// The triple of a centre and two neighbours, given in either order.
  public init(_ first: Int, _ centre: Int, _ second: Int) {
    self.first = min(first, second)
    self.centre = centre
    self.second = max(first, second)
  }

  /// Triples with two neighbours of one type, for every centre: those that comparisons use.
  public static func equalLegs(typeCount: Int) -> [TypeTriple] {
    (0..<typeCount).flatMap { centre in (0..<typeCount).map { TypeTriple($0, centre, $0) } }
  }

  /// All triples of `typeCount` types.
  public static func all(typeCount: Int) -> [TypeTriple] {
    (0..<typeCount).flatMap { centre in
      TypePair.all(typeCount: typeCount).map { TypeTriple($0.first, centre, $0.second) }
    }
  }

  /// Label for readers and keys: "Li-Cl-Li".
  public func label(_ typeNames: [String]) -> String {
    "\(typeNames[first])-\(typeNames[centre])-\(typeNames[second])"
  }
}

/// Distributions of the angle at a centre between two neighbours closer than a radius, on equal bins over 0…180°.
public struct AngleDistribution: Sendable {
  /// Names of the atom types.
  public let typeNames: [String]
  /// The triples of types that angles are counted for.
  public let triples: [TypeTriple]
  /// Probability of each bin [triple][bin]: sums to one, or is zero where no such angle was found.
  public let probabilities: [[Double]]

  /// Distributions with given probabilities [triple][bin].
  public init(typeNames: [String], triples: [TypeTriple], probabilities: [[Double]]) {
    self.typeNames = typeNames
    self.triples = triples
    self.probabilities = probabilities
  }

  /// Middles of the bins (degrees).
  public var angles: [Double] {
    let n = probabilities.first?.count ?? 0
    return (0..<n).map { (Double($0) + 0.5) * 180 / Double(n) }
  }

  /// The distributions of angles in several trajectories together. Each angle counts once, so that frames count by the
  /// angles that they have.
  /// - Parameters:
  ///   - radius: legs are shorter than this (Å).
  ///   - triples: which angles; nil takes both legs of one type, at every centre.
  ///   - binCount: bins over 0…180°.
  /// - Throws: where the radius is not positive, or so large that a frame's images would not fit into memory.
  public init(
    _ trajectories: [Trajectory], radius: Double, triples: [TypeTriple]? = nil, binCount: Int = 36
  ) throws {
    let typeNames = trajectories.first?.typeNames ?? []
    var counts = try AngleCounts(
      triples ?? TypeTriple.equalLegs(typeCount: typeNames.count), radius: radius, binCount: binCount)
    for frame in trajectories.lazy.flatMap(\.frames) { try counts.add(frame) }
    self.init(counts, typeNames: typeNames)
  }

  /// The distributions of angles in one trajectory.
  /// - Throws: where the radius is not positive, or so large that a frame's images would not fit into memory.
  public init(_ trajectory: Trajectory, radius: Double, triples: [TypeTriple]? = nil, binCount: Int = 36) throws {
    try self.init([trajectory], radius: radius, triples: triples, binCount: binCount)
  }

  init(_ counts: AngleCounts, typeNames: [String]) {
    self.init(
      typeNames: typeNames, triples: counts.triples,
      probabilities: counts.histogram.map { h in
        let sum = h.reduce(0, +)
        return sum > 0 ? h.map { $0 / sum } : h
      })
  }

  /// Jensen–Shannon divergence (natural logarithm, 0…ln 2) of each triple from the same one of `reference`.
  /// - Throws: where a triple is missing in the reference, or the bins differ.
  public func divergence(from reference: AngleDistribution) throws -> [Double] {
    try zip(triples, probabilities).map { triple, p in
      let label = triple.label(typeNames)
      guard let k = reference.triples.firstIndex(where: { $0.label(reference.typeNames) == label }) else {
        throw DiffNNPError("the reference has no angles \(label)")
      }
      let q = reference.probabilities[k]
      guard p.count == q.count else {
        throw DiffNNPError("angles on \(p.count) bins cannot be compared with \(q.count) bins")
      }
      return jensenShannonDivergence(p, q)
    }
  }
}

/// Counts of angles over frames, [triple][bin].
struct AngleCounts {
  let triples: [TypeTriple]
  private(set) var histogram: [[Double]]
  /// Largest distance of the neighbours from the centre (Å).
  private let radius: Double
  private let edges = EdgeList()
  private let search = NeighbourSearch()

  /// Counts that are all zero.
  init(_ triples: [TypeTriple], radius: Double, binCount: Int = 36) throws {
    guard radius.isFinite, radius > 0 else {
      throw DiffNNPError("angles between neighbours closer than \(radius) Å: expected a positive distance")
    }
    (self.triples, self.radius) = (triples, radius)
    histogram = Array(repeating: Array(repeating: 0, count: binCount), count: triples.count)
  }

  mutating func add(_ frame: Frame) throws {
    try naming("frame \(frame.number)") { try search.fill(edges, frame.configuration, cutoff: radius) }
    for i in 0..<edges.centreCount {
      for (t, triple) in triples.enumerated() where triple.centre == frame.types[i] { addAngles(at: i, triple, to: t) }
    }
  }

  /// Adds the counts of other frames.
  mutating func add(_ other: AngleCounts) {
    for t in triples.indices { for bin in histogram[t].indices { histogram[t][bin] += other.histogram[t][bin] } }
  }

  private mutating func addAngles(at centre: Int, _ triple: TypeTriple, to t: Int) {
    let range = Int(edges.offsets[centre])..<Int(edges.offsets[centre + 1])
    func type(_ e: Int) -> Int { Int(edges.types[Int(edges.neighbours[e])]) }
    for e in range where type(e) == triple.first {
      for f in range where type(f) == triple.second && (triple.first != triple.second || e < f) {
        let cosine = dot(edges.vectors[e], edges.vectors[f]) / (edges.lengths[e] * edges.lengths[f])
        let degrees = acos(min(max(cosine, -1), 1)) * 180 / .pi
        let binCount = histogram[t].count
        histogram[t][min(Int(degrees / 180 * Double(binCount)), binCount - 1)] += 1
      }
    }
  }
}

/// The Jensen–Shannon divergence ½ Σ p ln(p/m) + ½ Σ q ln(q/m) with m = (p + q)/2 (Lin, IEEE Trans. Inf. Theory 37, 145
/// (1991)).
func jensenShannonDivergence(_ p: [Double], _ q: [Double]) -> Double {
  zip(p, q).reduce(0) { sum, bin in
    let m = (bin.0 + bin.1) / 2
    func term(_ x: Double) -> Double { x > 0 ? 0.5 * x * log(x / m) : 0 }
    return sum + term(bin.0) + term(bin.1)
  }
}
