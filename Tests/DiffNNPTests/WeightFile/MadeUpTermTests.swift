import Testing

@testable import DiffNNP

/// A term that is made up in these tests needs nothing but itself and a place among the kinds.
@Suite struct MadeUpTermTests {
  private static func potential() throws -> Potential {
    try #require(SamplePotential.all.first { $0.testDescription == "pair + network + made up" }).potential
  }
  private static let kinds: [any Term.Type] = TermRegistry.kinds + [MadeUpTerm.self]

  @Test func weightFilesHoldIt() throws {
    let potential = try Self.potential()
    let bytes = try WeightFile.encode(potential)
    let loaded = try WeightFile.decode(bytes, kinds: Self.kinds)
    #expect(loaded.terms.map(\.name) == ["pair", "network", "made-up"])
    let configuration = try Configuration.solid(4)
    let (before, after) = (Calculator(potential, .double), Calculator(loaded, .double))
    #expect(try before.compute(configuration).forces == after.compute(configuration).forces)
  }

  /// A program that does not know a term must not run without it.
  @Test func programsThatDoNotKnowItRefuseTheFile() throws {
    let error = try #require(throws: DiffNNPError.self) {
      try WeightFile.decode(try WeightFile.encode(try Self.potential()))
    }
    #expect(error.message.contains("made-up"), "\(error)")
  }

  @Test func itsTensorsAreChecked() throws {
    var file = try SafetensorsFile(bytes: WeightFile.encode(Self.potential()))
    file.tensors.append(NamedTensor(name: "made-up.more", shape: [1], values: [1]))
    file.metadata["checksum"] = WeightFile.checksum(file)
    let error = try #require(throws: DiffNNPError.self) {
      try WeightFile.decode(file.serialised(), kinds: Self.kinds)
    }
    #expect(error.message == "tensor made-up.more has no place in the term \"made-up\"")
  }

  @Test func theClockKnowsItsStage() throws {
    let evaluator = Evaluator(try Self.potential())
    evaluator.clock = StageClock()
    _ = try evaluator.evaluate(Configuration.solid(5))
    #expect(evaluator.clock!.times.contains { $0.stage.name == "made-up" && $0.seconds > 0 })
  }

  @Test func oneKindIsThereOnce() throws {
    let term = SamplePotential.madeUp
    let error = #expect(throws: DiffNNPError.self) {
      try Potential(typeNames: ["A", "B", "C"], energyScale: 1, terms: [term, term])
    }
    #expect(error?.message == "the term \"made-up\" is given twice; expected one of each kind")
  }
}
