import Testing

@testable import DiffNNP
@testable import DiffNNPFrames

/// Weight files of version 0.1 are read for ever, and say what they said then: the numbers beside them are what
/// `diffnnp evaluate --precision double --json` of that version gave for the same frames.
@Suite struct VersionTests {
  @Test(arguments: ["pair", "triplets", "network", "ensemble", "imported"])
  func filesOfVersion01SayWhatTheySaid(_ kind: String) throws {
    let folder = fixture("version-0.1")
    let potential = try Potential.load(path: "\(folder)/\(kind).safetensors")
    #expect(potential.members.count == (kind == "ensemble" ? 3 : 1))
    let expected = try JSONValue(parsing: String(decoding: FileIO.read("\(folder)/\(kind).json"), as: UTF8.self))
    let trajectory = try Trajectory.read(path: folder + "/frames.xyz", .init(species: potential.typeNames))
    let calculator = Calculator(potential, .double)
    let energies = try #require(expected["energies"]?.doubles)
    #expect(energies.count == trajectory.frames.count)
    for (k, frame) in trajectory.frames.enumerated() {
      let result = try calculator.compute(frame.configuration, grades: true)
      #expect(abs(result.energy - energies[k]) < 1e-12 * abs(energies[k]))
      let rows = try #require(expected["forces"]?.array?[k].array)
      let forces = rows.compactMap(\.doubles)
      #expect(forces.count == result.forces.count)
      for (force, expected) in zip(result.forces, forces) {
        #expect(length(force - SIMD3(expected[0], expected[1], expected[2])) < 1e-12)
      }
      let grades = expected["grades"]?.array?[k].doubles
      #expect((grades == nil) == (potential.grade == nil))
      for (grade, expected) in zip(result.grades ?? [], grades ?? []) { #expect(abs(grade - expected) < 1e-12) }
    }
    // What is written anew is the same potential.
    let copy = try WeightFile.decode(WeightFile.encode(potential))
    let energy = try Calculator(copy, .double).compute(trajectory.frames[0].configuration).energy
    #expect(energy == (try calculator.compute(trajectory.frames[0].configuration).energy))
  }
}
