/// A learned potential: U(x) = energyScale · (pair term + network). Immutable, and safe to share between threads;
/// each thread computes with an `Evaluator` of its own.
public final class Potential: @unchecked Sendable {
  /// Names of the types, in the order of their indices.
  public let typeNames: [String]
  /// eV for one unit of the terms' energy: kT of the training data, or 1 for terms in eV.
  public let energyScale: Double
  public let pair: PairTerm?
  public let network: Network?
  /// Says where the training data end; nil where nothing is known of them.
  public let grade: ExtrapolationGrade?
  /// The further members of an ensemble, trained on resampled data: their spread says how uncertain forces are.
  public let others: [Potential]
  /// What the weight file says besides: temperature, provenance, ….
  public let metadata: PotentialMetadata

  /// Checksum of the weight file that it was read from: tells one model from another.
  public let checksum: String?

  /// A longer cutoff (Å) is a damaged file: tables and neighbour lists grow with it.
  public static let largestCutoff = 1000.0

  public init(
    typeNames: [String], energyScale: Double, pair: PairTerm?, network: Network?,
    grade: ExtrapolationGrade? = nil, others: [Potential] = [], metadata: PotentialMetadata = PotentialMetadata(),
    checksum: String? = nil
  ) throws {
    guard !typeNames.isEmpty, Set(typeNames).count == typeNames.count else {
      throw DiffNNPError("type names must be given once each; found: \(typeNames.joined(separator: " "))")
    }
    guard energyScale.isFinite, energyScale > 0 else {
      throw DiffNNPError("energy scale is \(energyScale) eV; expected a positive number")
    }
    for (term, count) in [
      ("pair term", pair?.typeCount), ("network", network?.architecture.typeNames.count),
      ("extrapolation grade", grade?.surroundings.typeCount),
    ] {
      if let count, count != typeNames.count {
        throw DiffNNPError("the \(term) knows \(count) types, but \(typeNames.count) are named")
      }
    }
    let rMax = max(pair?.rMax ?? 0, network?.architecture.rMax ?? 0)
    guard rMax <= Self.largestCutoff else {
      throw DiffNNPError("cutoff is \(rMax) Å; expected \(Self.largestCutoff) Å at most")
    }
    if let grade, grade.surroundings.rMax > rMax {
      throw DiffNNPError(
        "the extrapolation grade reaches to \(grade.surroundings.rMax) Å, but the terms to \(rMax) Å")
    }
    for other in others {
      guard other.typeNames == typeNames, other.energyScale == energyScale, other.rMax == rMax,
        (other.pair == nil) == (pair == nil), (other.network == nil) == (network == nil), other.others.isEmpty
      else { throw DiffNNPError("the members of the ensemble are not of one kind: types, terms or cutoffs differ") }
    }
    self.typeNames = typeNames
    self.energyScale = energyScale
    self.pair = pair
    self.network = network
    self.grade = grade
    self.others = others
    self.metadata = metadata
    self.checksum = checksum
  }

  /// All members of the ensemble; where there is none, the potential itself.
  public var members: [Potential] { [self] + others }

  /// The largest cutoff of the terms (Å).
  public var rMax: Double { max(pair?.rMax ?? 0, network?.architecture.rMax ?? 0) }
}

/// What a weight file records besides the tensors. All optional: imported models know little of their making.
public struct PotentialMetadata: Equatable, Sendable {
  /// Temperature of the training data (K).
  public var temperature: Double?
  /// Atoms of each type for one Å³ in the training data.
  public var densities: [Double]?
  /// Mean cell vectors of the training data (Å).
  public var cell: [SIMD3<Double>]?
  /// Noise level at which the potential is run (Å).
  public var sigma: Double?
  /// Smallest distance in the training data (Å) for each pair of types, in the order of `PairTerm.pairIndex`.
  public var smallestDistances: [Double]?
  /// Free text about origin: program version, data, settings; keys in alphabetical order.
  public var provenance: [String: String] = [:]

  public init() {}
}
