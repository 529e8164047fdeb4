/// Computes energy, forces and virial of a potential. Holds buffers that only grow; one for each thread.
public final class Evaluator {
  /// The potential that is evaluated.
  public let potential: Potential
  /// Arithmetic of networks.
  public let precision: Precision
  /// Clock that takes the time of each stage; nil for none.
  public var clock: StageClock? {
    didSet {
      centreTerms.clock = clock
      graphTerms.forEach { $0.clock = clock }
    }
  }
  /// Number of threads; small systems are computed by one. Energies do not depend on the number, forces and virials to
  /// rounding alone.
  public var threads = 1 {
    didSet {
      threads = max(1, threads)
      guard threads != oldValue else { return }
      let team = threads > 1 ? ThreadTeam(count: threads) : nil
      edges.team = team
      centreTerms.team = team
      graphTerms.forEach { $0.team = team }
    }
  }
  private let centreTerms: CentreTerms
  private let graphTerms: [any GraphEvaluating]
  private var energies = Buffer<Double>()
  private var gradeScratch = Buffer<Double>()
  /// The edges of a source, which terms that need all at once keep.
  private let edges = SharedEdges()

  /// An evaluator of a potential, whose networks compute in the given precision.
  public init(_ potential: Potential, precision: Precision = .single) {
    self.potential = potential
    self.precision = precision
    var (centreTerms, graphTerms): ([CentreTerms.Kind], [any GraphEvaluating]) = ([], [])
    for term in potential.terms {
      switch term.makeEvaluator(precision, energyScale: potential.energyScale) {
      case .centres(let stage, let make): centreTerms.append((stage, make))
      case .graph(let evaluator): graphTerms.append(evaluator)
      }
    }
    self.centreTerms = CentreTerms(centreTerms)
    self.graphTerms = graphTerms
  }

  /// The results that are wanted. Forces, atom energies and virials are overwritten, not added to; nil where unwanted.
  public struct Outputs {
    /// Energies of the centres (eV) [centreCount].
    public var atomEnergies: UnsafeMutablePointer<Double>?
    /// Forces (eV/Å) [atomCount][3].
    public var forces: UnsafeMutablePointer<Double>?
    /// Virial -Σ r ⊗ dE/dr (eV): xx, yy, zz, xy, xz, yz.
    public var virial: UnsafeMutablePointer<Double>?
    /// Virial of each atom (eV) [atomCount][6], in the order of `virial`: the symmetric part. Half of an edge's virial
    /// goes to either end, or all of it to the centre, as forces are folded.
    public var atomVirials: UnsafeMutablePointer<Double>?
    /// Virial of each atom about the centres whose energy acts on it [atomCount][9]: xx, yy, zz, xy, xz, yz, yx, zx,
    /// zy, the first letter that of r. An edge's belongs to its far end: the energy is the centre's, the force acts at
    /// the far end, so with these the heat flux is Σ (E_i + W_i) v_i.
    public var centroidVirials: UnsafeMutablePointer<Double>?
    /// Extrapolation grades of the centres [centreCount]; the potential must have them.
    public var atomGrades: UnsafeMutablePointer<Double>?

    /// Pointers to the results that are wanted.
    public init(
      atomEnergies: UnsafeMutablePointer<Double>? = nil, forces: UnsafeMutablePointer<Double>? = nil,
      virial: UnsafeMutablePointer<Double>? = nil, atomVirials: UnsafeMutablePointer<Double>? = nil,
      centroidVirials: UnsafeMutablePointer<Double>? = nil, atomGrades: UnsafeMutablePointer<Double>? = nil
    ) {
      self.atomEnergies = atomEnergies
      self.forces = forces
      self.virial = virial
      self.atomVirials = atomVirials
      self.centroidVirials = centroidVirials
      self.atomGrades = atomGrades
    }
  }

  /// Computes the energy (eV) of the centres, and what `outputs` asks for.
  /// - Parameter exchange: for terms that need one, where edges point at atoms of other domains; begun.
  public func compute(
    _ edges: EdgeList, folding: ForceFolding = .neighbours, exchange: AtomExchange? = nil, into outputs: Outputs
  ) -> Double {
    // A list that is complete cannot fail; without memory for other buffers, there is no energy.
    (try? compute(.kept(.single(edges)), folding, exchange, outputs)) ?? .nan
  }

  /// Computes the energy (eV) of the centres, and what `outputs` asks for, with the edges of a source. Where no term
  /// needs all edges at once, no more are kept than those of a few centres.
  /// - Throws: what the source throws; `OutOfMemory`.
  public func compute(
    _ source: any EdgeSource, folding: ForceFolding = .neighbours, exchange: AtomExchange? = nil, into outputs: Outputs
  ) throws -> Double {
    guard !graphTerms.isEmpty else { return try compute(.found(source), folding, exchange, outputs) }
    clock?.enter(.edges)
    try edges.fill(from: source)
    return try compute(.kept(.perThread(edges)), folding, exchange, outputs)
  }

  private func compute(
    _ edges: Edges, _ folding: ForceFolding, _ exchange: AtomExchange?, _ outputs: Outputs
  ) throws -> Double {
    let energies = try energies.reserve(edges.centreCount)
    energies.update(repeating: 0, count: edges.centreCount)
    let sums = ForceSums(
      forces: outputs.forces, virial: outputs.virial, atomVirials: outputs.atomVirials,
      centroidVirials: outputs.centroidVirials, folding: folding)
    sums.clear(atomCount: edges.atomCount)
    let scale = potential.energyScale
    try centreTerms.add(edges, scale: scale, energies: energies, forces: sums)
    if case .kept(let edges) = edges {
      for term in graphTerms {
        try term.add(edges, exchange: exchange, scale: scale, energies: energies, forces: sums)
      }
    }

    clock?.enter(nil)
    var total = 0.0
    for i in 0..<edges.centreCount { total += energies[i] }
    outputs.atomEnergies?.update(from: energies, count: edges.centreCount)
    if let grades = outputs.atomGrades { try grade(edges, into: grades) }
    return total
  }

  private func grade(_ edges: Edges, into grades: UnsafeMutablePointer<Double>) throws {
    guard let grade = potential.grade else { return grades.update(repeating: 0, count: edges.centreCount) }
    let scratch = try gradeScratch.reserve(grade.scratchSize)
    try edges.forEachBlock(of: 0..<edges.centreCount, in: self.edges.list(ofShare: 0)) { edges, centres in
      for i in centres { grades[i] = grade.grade(of: i, edges, scratch: scratch) }
    }
  }
}
