import DiffNNP

/// Energy and forces of one configuration, again and again.
struct ForceBenchmark {
  struct Result {
    var atoms: Int
    var precision: Precision
    var neighboursPerAtom: Double
    /// µs for an atom.
    var step: Quartiles
    var neighbourSearch: Quartiles
  }

  private let potential: Potential
  private let precision: Precision
  private let configuration: Configuration

  init(_ potential: Potential, _ precision: Precision, atoms: Int, neighbours: Double) throws {
    self.potential = potential
    self.precision = precision
    configuration = try .sample(
      atoms: atoms, neighbours: neighbours, cutoff: potential.rMax, typeCount: potential.typeNames.count)
  }

  func run(_ stopwatch: Stopwatch) throws -> Result {
    let (search, edges) = (NeighbourSearch(), EdgeList())
    let searchTimes = try stopwatch.measure { try search.fill(edges, configuration, cutoff: potential.rMax) }

    let evaluator = Evaluator(potential, precision: precision)
    let atoms = configuration.positions.count
    var forces = [Double](repeating: 0, count: 3 * atoms)
    let times = forces.withUnsafeMutableBufferPointer { forces in
      stopwatch.measure { _ = evaluator.compute(edges, into: .init(forces: forces.baseAddress)) }
    }
    func perAtom(_ times: [Double]) -> Quartiles { Quartiles(times.map { 1e6 * $0 / Double(atoms) }) }
    return Result(
      atoms: atoms, precision: precision, neighboursPerAtom: Double(edges.count) / Double(atoms),
      step: perAtom(times), neighbourSearch: perAtom(searchTimes))
  }
}
