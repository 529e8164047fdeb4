import Testing

@testable import DiffNNP

@Suite struct EdgeSourceTests {
  /// More atoms than a block has.
  private static let atoms = 7

  /// Edges that are forgotten block by block, or all kept.
  @Test(arguments: SamplePotential.all, [1, 3])
  func keepingEdgesDoesNotMatter(_ sample: SamplePotential, threads: Int) throws {
    let configuration = try Configuration.solid(Self.atoms)
    #expect(configuration.positions.count > 2 * Edges.blockSize)
    let evaluator = Evaluator(sample.potential, precision: .double)
    evaluator.threads = threads
    let (found, kept) = try (
      evaluator.evaluate(configuration), evaluator.evaluate(configuration, keepingEdges: true)
    )
    #expect(found.energy == kept.energy && found.atomEnergies == kept.atomEnergies && found.forces == kept.forces)
    #expect(found.virial == kept.virial && found.atomVirials == kept.atomVirials)
    #expect(found.centroidVirials == kept.centroidVirials)
  }

  @Test func edgesOfSomeCentresAreThoseOfAll() throws {
    let search = NeighbourSearch()
    try search.begin(.solid(Self.atoms), cutoff: 4.5)
    let (all, some) = (EdgeList(), EdgeList())
    try search.fill(all)
    try search.begin(some)
    // In any order.
    for centres in [200..<300, 0..<64, 342..<343, 10..<10] {
      try search.fill(some, centres: centres)
      let first = Int(all.offsets[centres.lowerBound])
      #expect(some.count == Int(all.offsets[centres.upperBound]) - first)
      for i in centres { #expect(Int(some.offsets[i]) == Int(all.offsets[i]) - first) }
      for e in 0..<some.count {
        #expect(some.vectors[e] == all.vectors[first + e] && some.neighbours[e] == all.neighbours[first + e])
        #expect(some.lengths[e] == length(some.vectors[e]))
      }
    }
  }

  /// What a thread meets in its share is said by the call, and the next call is a new one.
  @Test(arguments: SamplePotential.all, [(1, 3), (3, 3), (3, 340)])
  func errorsOfThreadsAreThrown(_ sample: SamplePotential, _ place: (threads: Int, atom: Int)) throws {
    let (evaluator, atom) = (Evaluator(sample.potential), place.atom)
    evaluator.threads = place.threads
    var configuration = try Configuration.solid(Self.atoms)
    let energy = try evaluator.evaluate(configuration).energy
    let place = configuration.positions[atom]
    configuration.positions[atom] = configuration.positions[atom + 1]
    let error = #expect(throws: DiffNNPError.self) { try evaluator.evaluate(configuration) }
    #expect(error?.description == "atoms \(atom + 2) and \(atom + 1) are in one place; remove one of them")
    configuration.positions[atom] = place
    #expect(try evaluator.evaluate(configuration).energy == energy)
  }
}
