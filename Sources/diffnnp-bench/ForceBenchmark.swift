import DiffNNP

/// Energy and forces of one configuration, again and again.
struct ForceBenchmark {
  struct Result {
    var model: String
    var atoms: Int
    var precision: Precision
    var neighboursPerAtom: Double
    /// µs for an atom.
    var step: Quartiles
    var neighbourSearch: Quartiles
  }

  private let model: BenchmarkModel
  private let precision: Precision
  private let configuration: Configuration

  init(_ model: BenchmarkModel, _ precision: Precision, atoms: Int) throws {
    self.model = model
    self.precision = precision
    configuration = try .sample(
      atoms: atoms, neighbours: model.neighbours, cutoff: model.potential.rMax,
      typeCount: model.potential.typeNames.count)
  }

  func run(_ stopwatch: Stopwatch) throws -> Result {
    let potential = model.potential
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
      model: model.name, atoms: atoms, precision: precision, neighboursPerAtom: Double(edges.count) / Double(atoms),
      step: perAtom(times), neighbourSearch: perAtom(searchTimes))
  }
}
