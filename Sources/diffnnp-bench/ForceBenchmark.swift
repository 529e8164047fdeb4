import CAllocations
import DiffNNP

/// Speed and memory of energy and forces of one configuration, computed repeatedly.
struct ForceBenchmark {
  struct Result {
    var model: String
    var atoms: Int
    var precision: Precision
    var threads: Int
    var neighboursPerAtom: Double
    /// Time of a step for an atom (µs).
    var step: Quartiles
    var neighbourSearch: Quartiles
    /// Time for an atom in each stage of a step (µs), without stages that take none.
    var stages: [(stage: StageClock.Stage, time: Double)]
    /// Floating-point operations of energy and forces, for an atom.
    var operations: Double
    /// Memory per atom that a simulation keeps (bytes): edges, which without a network are those of a few atoms only,
    /// and all other memory of an evaluator.
    var edgeBytes: Double
    var evaluatorBytes: Double
    /// Number of allocations in a step after the first.
    var allocations: Double

    /// Floating-point operations for each second (10⁹/s).
    var rate: Double { 1e-3 * operations / step.median }
  }

  private let model: BenchmarkModel
  private let precision: Precision
  private let threads: Int
  private let configuration: Configuration

  init(_ model: BenchmarkModel, _ precision: Precision, atoms: Int, threads: Int) throws {
    self.model = model
    self.precision = precision
    self.threads = threads
    configuration = try .sample(
      atoms: atoms, neighbours: model.neighbours, cutoff: model.potential.rMax,
      typeCount: model.potential.typeNames.count)
  }

  func run(_ stopwatch: Stopwatch) throws -> Result {
    let potential = model.potential
    let atoms = configuration.positions.count
    func perAtom(_ times: [Double]) -> Quartiles { Quartiles(times.map { 1e6 * $0 / Double(atoms) }) }
    let search = NeighbourSearch()
    // Buffers of the search are not those of the edges.
    try search.fill(EdgeList(), configuration, cutoff: potential.rMax)
    let empty = allocated_bytes()
    let edges = EdgeList()
    try search.fill(edges, configuration, cutoff: potential.rMax)
    let listed = allocated_bytes()
    let searchTimes = try stopwatch.measure { try search.fill(edges, configuration, cutoff: potential.rMax) }
    let evaluator = Evaluator(potential, precision: precision)
    evaluator.threads = threads
    var stopwatch = stopwatch
    stopwatch.usesWallClock = threads > 1
    let forces = UnsafeMutablePointer<Double>.allocate(capacity: 3 * atoms)
    defer { forces.deallocate() }
    func step() { _ = evaluator.compute(edges, into: .init(forces: forces)) }
    step()
    let first = allocation_count()
    step()
    let allocations = allocation_count() - first

    let times = stopwatch.measure(step)
    let clock = StageClock()
    evaluator.clock = clock
    let steps = stopwatch.measure(step).count + 1
    let kept = try bytesKept(search, forces)
    let edgeBytes = potential.term(Network.self) == nil ? 0 : listed - empty
    return Result(
      model: model.name, atoms: atoms, precision: precision, threads: threads,
      neighboursPerAtom: Double(edges.count) / Double(atoms),
      step: perAtom(times), neighbourSearch: perAtom(searchTimes),
      stages: clock.times.map { ($0.stage, 1e6 * $0.seconds / Double(steps * atoms)) },
      operations: operations(edges), edgeBytes: Double(edgeBytes) / Double(atoms),
      evaluatorBytes: Double(kept - edgeBytes) / Double(atoms), allocations: Double(allocations))
  }

  /// The memory that an evaluator keeps which finds its edges itself, without its tables (bytes).
  private func bytesKept(_ search: NeighbourSearch, _ forces: UnsafeMutablePointer<Double>) throws -> Int {
    let evaluator = Evaluator(model.potential, precision: precision)
    evaluator.threads = threads
    let made = allocated_bytes()
    _ = try evaluator.compute(search, into: .init(forces: forces))
    return allocated_bytes() - made
  }

  private func operations(_ edges: EdgeList) -> Double {
    guard let network = model.potential.term(Network.self) else { return 0 }
    let count = network.operations
    let found = (0..<edges.count).reduce(0) { $0 + (edges.lengths[$1] < network.architecture.rMax ? 1 : 0) }
    return Double(count.perAtom) + Double(count.perEdge * found) / Double(configuration.positions.count)
  }
}
