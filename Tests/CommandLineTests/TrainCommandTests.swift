import DiffNNP
import DiffNNPCommandLine
import DiffNNPTraining
import Testing

@testable import diffnnp

@Suite struct TrainCommandTests {
  static func configuration(_ text: String) throws -> TrainingConfiguration {
    try TrainingConfiguration(YAMLNode(parsing: Array(text.utf8), name: "c.yaml"))
  }

  static let least = "frames: a.xyz\ntemperature: 300\noutput: m.safetensors\n"

  @Test func readsAllKeys() throws {
    let c = try Self.configuration(
      Self.least + """
        select: [Li, Cl]
        slice: 0:500:5
        objective: mixed
        seed: 7
        threads: 3
        blocks: 4
        noise: {mode: copies, sigma: 0.26, copies: 12}
        pair: {r_max: 9, spacing: 0.2, likelihood: false}
        network: {features: 16, l_max: 2, sigma: [0.05, 0.1]}
        """)
    #expect(c.frames == "a.xyz" && c.temperature == 300 && c.output == "m.safetensors")
    #expect(c.selection.species == ["Li", "Cl"] && c.selection.stop == 500 && c.selection.step == 5)
    #expect(c.pair.objective == .mixed && c.pair.seed == 7 && c.pair.threads == 3 && c.pair.blockCount == 4)
    #expect(c.pair.noise == .copies(sigma: 0.26, count: 12))
    #expect(c.pair.rMax == 9 && c.pair.spacing == 0.2 && !c.pair.usesLikelihood)
    #expect(c.network?.features == 16 && c.network?.lMax == 2 && c.network?.seed == 7)
  }

  @Test func hasDefaults() throws {
    let c = try Self.configuration(Self.least)
    #expect(c.pair.objective == .denoising && c.pair.noise == .ladder(sigmas: NoiseMode.defaultSigmas))
    #expect(c.pair.rMax == nil && c.pair.usesLikelihood && c.network == nil)
  }

  @Test(arguments: [
    ("temperature: 300\noutput: m", "frames is missing"), ("frames: a\noutput: m", "temperature is missing"),
    ("frames: a\ntemperature: 300", "output is missing"), (least + "temprature: 3", "did you mean temperature?"),
    (least + "noise: {sigmas: 0.1}", "did you mean sigma?"), (least + "noise: {mode: lader}", "did you mean ladder?"),
    (least + "noise: {mode: fixed}", "must be one noise level"), (least + "noise: {sigma: [0.1, 0.2]}", "start at 0"),
    (least + "pair: {rmax: 3}", "did you mean r_max?"), (least + "seed: -1", "above 0"),
    (least + "network: {l_max: 5}", "expected 0, 1, 2 or 3"), (least + "objective: force", "did you mean forces?"),
  ])
  func refuses(_ text: String, _ reason: String) {
    #expect(ConfigurationTests.message { _ = try Self.configuration(text) }.contains(reason))
  }

  @Test func optionsTakePrecedence() throws {
    try withDirectory { directory in
      try FileIO.write(Array((Self.least + "seed: 3\nnoise: {mode: ladder}").utf8), to: directory + "/c.yaml")
      let words = [
        directory + "/c.yaml", "--temperature", "310", "--select", "Li,Cl", "--frames", "::2", "-o", "it's.safetensors",
        "--set", "noise.mode=fresh", "--set", "noise.sigma=0.2",
      ]
      let c = try TrainCommand.configuration(Arguments(words, TrainCommand.syntax))
      #expect(c.temperature == 310 && c.output == "it's.safetensors" && c.pair.seed == 3)
      #expect(c.selection.species == ["Li", "Cl"] && c.selection.step == 2)
      #expect(c.pair.noise == .fresh(sigma: 0.2))
    }
  }

  @Test func trainsFromTheCommandLine() throws {
    try withDirectory { directory in
      var random = Philox(seed: 1, purpose: .noise, frame: 0)
      var text = ""
      for _ in 0..<40 {
        text += "8\nLattice=\"9 0 0 0 9 0 0 0 9\" Properties=species:S:1:pos:R:3 pbc=\"T T T\"\n"
        for k in 0..<8 {
          let x = 4.5 * SIMD3(Double(k % 2), Double(k / 2 % 2), Double(k / 4)) + 0.4 * random.normal3()
          text += "\(k < 4 ? "Li" : "Cl") \(x.x) \(x.y) \(x.z)\n"
        }
      }
      try FileIO.write(Array(text.utf8), to: directory + "/frames.xyz")
      let refused = try diffnnp("train frames.xyz -o m.safetensors", in: directory)
      #expect(refused.exitCode == 1 && refused.errors.contains("temperature is missing"))
      let trained = try diffnnp("train frames.xyz --temperature 300 -o m.safetensors", in: directory)
      #expect(trained.exitCode == 0 && trained.errors.contains("wrote m.safetensors"))
      let potential = try Potential.load(path: directory + "/m.safetensors")
      #expect(potential.typeNames == ["Li", "Cl"] && potential.metadata.temperature == 300)
      #expect(potential.metadata.provenance["frames"] == "40 from frames.xyz")
      #expect(try !FileIO.read(directory + "/m.safetensors.pair.csv").isEmpty)
    }
  }
}
