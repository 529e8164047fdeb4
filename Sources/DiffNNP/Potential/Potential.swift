/// A learned potential: U(x) = energyScale · Σ terms. Immutable, and safe to share between threads; each thread
/// computes with an `Evaluator` of its own.
public final class Potential: Sendable {
  /// Names of the types, in the order of their indices.
  public let typeNames: [String]
  /// eV for one unit of the terms' energy: kT of the training data, or 1 for terms in eV.
  public let energyScale: Double
  /// Terms of the energy, one of each kind at most, in the order of `TermRegistry`.
  public let terms: [any Term]
  /// Extrapolation grade, which says how far atoms are outside the training data; nil where nothing is known of these.
  public let grade: ExtrapolationGrade?
  /// The further members of an ensemble, trained on resampled data: their spread says how uncertain forces are.
  public let others: [Potential]
  /// Metadata of the weight file besides the terms: temperature, provenance, ….
  public let metadata: PotentialMetadata

  /// Checksum of the weight file that the potential was read from, by which models are told apart; nil where there is
  /// none.
  public let checksum: String?

  /// A longer cutoff (Å) is a damaged file: tables and neighbour lists grow with it.
  public static let largestCutoff = 1000.0

  /// - Parameter terms: in any order; nil for none.
  /// - Throws: where names, terms, grade and members do not fit together.
  public init(
    typeNames: [String], energyScale: Double, terms: [(any Term)?], grade: ExtrapolationGrade? = nil,
    others: [Potential] = [], metadata: PotentialMetadata = PotentialMetadata(), checksum: String? = nil
  ) throws {
    guard !typeNames.isEmpty, Set(typeNames).count == typeNames.count else {
      throw DiffNNPError("type names must be given once each; found: \(typeNames.joined(separator: " "))")
    }
    guard energyScale.isFinite, energyScale > 0 else {
      throw DiffNNPError("energy scale is \(energyScale) eV; expected a positive number")
    }
    self.typeNames = typeNames
    self.energyScale = energyScale
    self.terms = try Self.sorted(terms.compactMap { $0 })
    self.grade = grade
    self.others = others
    self.metadata = metadata
    self.checksum = checksum
    try check()
  }

  /// - Throws: where two terms are of one kind.
  private static func sorted(_ terms: [any Term]) throws -> [any Term] {
    let order = TermRegistry.kinds.map { $0.name }
    let sorted = terms.sorted { (order.firstIndex(of: $0.name) ?? .max) < (order.firstIndex(of: $1.name) ?? .max) }
    for (term, next) in zip(sorted, sorted.dropFirst()) where term.name == next.name {
      throw DiffNNPError("the term \"\(term.name)\" is given twice; expected one of each kind")
    }
    return sorted
  }

  private func check() throws {
    for (name, count) in terms.map({ ("term \"\($0.name)\"", $0.typeCount) })
      + (grade.map { [("extrapolation grade", $0.surroundings.typeCount)] } ?? []) where count != typeNames.count
    {
      throw DiffNNPError("the \(name) knows \(count) types, but \(typeNames.count) are named")
    }
    guard rMax <= Self.largestCutoff else {
      throw DiffNNPError("cutoff is \(rMax) Å; expected \(Self.largestCutoff) Å at most")
    }
    if let grade, grade.surroundings.rMax > rMax {
      throw DiffNNPError(
        "the extrapolation grade reaches to \(grade.surroundings.rMax) Å, but the terms to \(rMax) Å")
    }
    for other in others {
      guard other.typeNames == typeNames, other.energyScale == energyScale, other.rMax == rMax,
        other.terms.map(\.name) == terms.map(\.name), other.others.isEmpty
      else { throw DiffNNPError("the members of the ensemble are not of one kind: types, terms or cutoffs differ") }
    }
  }

  /// The term of a kind; nil where there is none.
  public func term<Kind: Term>(_ kind: Kind.Type) -> Kind? {
    for case let term as Kind in terms { return term }
    return nil
  }

  /// All members of the ensemble; where there is none, the potential itself.
  public var members: [Potential] { [self] + others }

  /// The largest cutoff of the terms (Å).
  public var rMax: Double { terms.reduce(0) { max($0, $1.rMax) } }

  /// Whether any term is many-body: forces then act between atoms that no edge joins.
  public var isManyBody: Bool { terms.contains { $0.isManyBody } }

  /// Numbers of each atom that travel between domains in each exchange of features, in order.
  public var exchangeWidths: [Int] { terms.flatMap(\.exchangeWidths) }
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
  /// Smallest distance in the training data (Å) for each pair of types, in the order of `TypePairs.index`.
  public var smallestDistances: [Double]?
  /// Free text about origin: program version, data, settings; keys in alphabetical order.
  public var provenance: [String: String] = [:]

  /// Metadata that say nothing.
  public init() {}
}
