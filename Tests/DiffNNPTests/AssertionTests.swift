import Testing

@testable import DiffNNP

/// Programs are built without assertions, tests with them: indices out of bounds end the process.
@Suite struct AssertionTests {
  /// Evaluates two atoms of which one has an edge to the other.
  /// - Parameters:
  ///   - type: of the far end; there are three types.
  ///   - neighbour: index of the far end.
  private static func evaluate(_ sample: SamplePotential = .all[0], type: Int32 = 0, neighbour: Int32 = 1) throws {
    let edges = EdgeList()
    try edges.begin(centreCount: 2, atomCount: 2)
    (edges.types[0], edges.types[1]) = (0, type)
    try edges.reserve(1)
    edges.appendUnchecked(neighbour: neighbour, vector: [2, 0, 0], length: 2)
    edges.close(centre: 0)
    edges.close(centre: 1)
    _ = Evaluator(sample.potential).compute(edges, into: .init())
  }

  @Test func thereAreAssertions() async {
    await #expect(processExitsWith: .failure) { assert(CommandLine.arguments.isEmpty, "assertions are on") }
  }

  @Test func typeOutOfRangeEndsTheProcess() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try AssertionTests.evaluate(type: 1000)
    }
    #expect(Self.text(result).contains("type that the term does not have"))
  }

  @Test func neighbourOutOfRangeEndsTheProcess() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try AssertionTests.evaluate(neighbour: 2)
    }
    #expect(Self.text(result).contains("neighbour 2 of 2 atoms"))
  }

  @Test func soundEdgesDoNot() throws {
    for sample in SamplePotential.all { try Self.evaluate(sample) }
  }

  private static func text(_ result: ExitTest.Result?) -> String {
    String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
  }
}
