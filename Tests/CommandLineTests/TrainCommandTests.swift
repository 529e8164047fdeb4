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
        refinement: {steps: 9}
        pair: {r_max: 9, spacing: 0.2}
        network: {features: 16, l_max: 2, sigma: [0.05, 0.1], refinement_rate: 0.001}
        """)
    #expect(c.frames == "a.xyz" && c.temperature == 300 && c.output == "m.safetensors")
    #expect(c.selection.species == ["Li", "Cl"] && c.selection.stop == 500 && c.selection.step == 5)
    #expect(c.fit.objective == .mixed && c.fit.seed == 7 && c.fit.threads == 3 && c.fit.blockCount == 4)
    #expect(c.refinementSteps == 9 && c.isRefined && c.network?.refinementRate == 0.001)
    #expect(c.fit.pairs.rMax == 9 && c.fit.pairs.spacing == 0.2)
    #expect(c.network?.features == 16 && c.network?.lMax == 2 && c.network?.seed == 7)
  }

  @Test func hasDefaults() throws {
    let c = try Self.configuration(Self.least)
    #expect(c.fit.objective == .denoising && c.fit.triplets == TripletSettings())
    #expect(c.fit.pairs.rMax == nil && c.network == nil)
    #expect(c.refinementSteps == 300 && c.isRefined)
  }

  /// By likelihood, what has more than pairs and was learned by likelihood.
  @Test(arguments: [
    ("triplets: false", false), ("triplets: false\nnetwork: {}", true), ("objective: forces", false),
    ("objective: mixed", true), ("refinement: false", false), ("refinement: true", true),
    ("refinement: {steps: 0}", false), ("refinement: {}", true), ("refinement: false\nnetwork: {}", false),
  ])
  func isRefined(_ settings: String, _ expected: Bool) throws {
    #expect(try Self.configuration(Self.least + settings).isRefined == expected)
  }

  @Test(arguments: [
    ("temperature: 300\noutput: m", "frames is missing"), ("frames: a\noutput: m", "temperature is missing"),
    ("frames: a\ntemperature: 300", "output is missing"), (least + "temprature: 3", "did you mean temperature?"),
    (least + "pair: {rmax: 3}", "did you mean r_max?"), (least + "seed: -1", "above 0"),
    (least + "refinement: {steps: -1}", "refinement.steps is -1; expected 0 for none"),
    (least + "refinement: 5", "refinement is \"5\"; expected settings, true or false"),
    (least + "refinement: {step: 5}", "did you mean steps?"),
    (least + "network: {l_max: 5}", "expected 0, 1, 2 or 3"), (least + "objective: force", "did you mean forces?"),
    (least + "members: 0", "above 0"), (least + "members: 50", "members is 50; expected 1 to 20"),
    (least + "network: 5", "must be a mapping"), (least + "network: {features: 5000}", "expected 1 to 1024"),
    (least + "network: {batch_size: 5000}", "expected 1 to 1024"), (least + "network: {patience: 2}", "patience is 2"),
  ])
  func refuses(_ text: String, _ reason: String) {
    #expect(ConfigurationTests.message { _ = try Self.configuration(text) }.contains(reason))
  }

  /// Keys of version 0.1 are refused with what to write instead, wherever they come from.
  @Test(arguments: [
    ("likelihood_steps: 0", "c.yaml:4: likelihood_steps is now refinement.steps"),
    ("network: {likelihood_rate: 0.1}", "c.yaml:4: network.likelihood_rate is now network.refinement_rate"),
    ("pair: {likelihood: false}", "c.yaml:4: pair.likelihood is no more"),
    ("noise: {mode: fresh}", "diffnnp-lab train"),
    ("noise:", "noise is no more"),
  ])
  func oldKeysAreRefusedWithTheNew(_ text: String, _ advice: String) {
    let message = ConfigurationTests.message { _ = try Self.configuration(Self.least + text) }
    #expect(message.contains(advice), "\(message)")
  }

  @Test func optionsTakePrecedence() throws {
    try withDirectory { directory in
      try FileIO.write(Array((Self.least + "seed: 3\npair: {r_max: 9}").utf8), to: directory + "/c.yaml")
      let words = [
        directory + "/c.yaml", "--temperature", "310", "--select", "Li,Cl", "--frames", "::2", "-o", "it's.safetensors",
        "--set", "pair.r_max=8", "--set", "refinement.steps=2",
      ]
      let c = try TrainingConfiguration(.training(Arguments(words, TrainCommand.syntax), verb: "diffnnp train"))
      #expect(c.temperature == 310 && c.output == "it's.safetensors" && c.fit.seed == 3)
      #expect(c.selection.species == ["Li", "Cl"] && c.selection.step == 2)
      #expect(c.fit.pairs.rMax == 8 && c.refinementSteps == 2)
    }
  }

  /// All that can be known before the work is refused before the work, and nothing is written.
  @Test(arguments: [
    ("-o none/m.safetensors", "No such file"), ("-o .", "Is a directory"),
    ("-o /dev/full", "/dev/full: a device or a pipe"), ("-o /dev/stdout", "/dev/stdout: the output would replace"),
    ("-o frames.xyz", "would replace the input frames.xyz"),
    ("-o m.safetensors --objective forces", "frames.xyz: frame 0 has no forces"),
    ("-o m.safetensors --frames 2: --objective mixed", "frames.xyz: frame 2 has no forces"),
    ("-o m.safetensors --frames 0:1", "frames.xyz: only 1 frame to learn from"),
    ("-o m.safetensors --set blocks=1", "blocks is 1"),
    ("-o m.safetensors --frames 9:", "no frames chosen by 9::1; the file has 4, counted from 0"),
    ("-o m.safetensors --frames 3:1", "no frames chosen by 3:1:1; the file has 4"),
    ("-o m.safetensors --frames -1:1", "no frames chosen by -1:1:1; the file has 4"),
    ("-o m.safetensors --set network.layers=99", "1 to 16"),
    ("-o m.safetensors --temperature 1e-300", "--temperature: temperature is 1e-300 K; expected 0.001 to 10000000 K"),
    ("-o m.safetensors --temperature warm", "error: --temperature: temperature is \"warm\"; expected a number"),
    ("-o m.safetensors --set pair.r_max=1", "r_max is 1.0 Å, and no two atoms of the frames are closer"),
    ("-o m.safetensors --set pair.spacing=2", "r_max is 4.5 Å, half the smallest height of a cell; expected"),
    ("-o m.safetensors --set pair.r_max=5000 --set pair.spacing=10", "at most 1000.0 Å"),
    ("-o m.safetensors --set pair.spacing=1e-9", "expected at most 1000"),
    ("-o m.safetensors --set pair.r_max=1e9", "expected at most 1000"),
  ])
  func refusesFirst(_ options: String, _ reason: String) throws {
    try withDirectory { directory in
      let frame = "2\nLattice=\"9 0 0 0 9 0 0 0 9\" Properties=species:S:1:pos:R:3\nLi 0 0 0\nCl 2 2 2\n"
      let frames = Array(String(repeating: frame, count: 4).utf8)
      try FileIO.write(frames, to: directory + "/frames.xyz")
      let temperature = options.contains("--temperature") ? "" : "--temperature 300 "
      let run = try diffnnp("train frames.xyz \(temperature)\(options)", in: directory)
      #expect(run.exitCode == 1 && run.errors.contains(reason), "\(run.errors)")
      #expect(run.errors.filter { $0 == "\n" }.count == 1)
      #expect(try shellResult("ls /dev/full*", in: directory).output == "/dev/full\n")
      #expect(try FileIO.read(directory + "/frames.xyz") == frames)
      #expect(try shellResult("ls", in: directory).output == "frames.xyz\n")
    }
  }

  /// A frame that is damaged in the middle of a trajectory: where, what, and how to go on.
  @Test(arguments: [
    ("Cl 2 2 2", "Cl 2 2", "frames.xyz:16: an atom's line with 3 columns, expected 4"),
    ("Cl 2 2 2", "Cl 2 2 ****", "frames.xyz:16: expected a finite number, found \"****\""),
    ("Cl 2 2 2", "Cl 2 2 nan", "frames.xyz:16: expected a finite number, found \"nan\""),
    ("Cl 2 2 2", "Cl 9 0 18", "frames.xyz:13: frame 3: atoms 2 and 1 are in one place"),
    ("2\nLat", "3\nLat", "frames.xyz:17: an atom's line with 1 columns"),
    ("9 0 0 0 9 0 0 0 9", "9 0 0 0 9 0 0 0 0", "frames.xyz:14: "),
    ("Li 0 0 0\nCl 2 2 2\n", "\u{0}\u{0}\u{0}\n", "frames.xyz:15: "),
  ])
  func saysWhichFrameIsDamaged(_ sound: String, _ damaged: String, _ reason: String) throws {
    try withDirectory { directory in
      let frame = "2\nLattice=\"9 0 0 0 9 0 0 0 9\" Properties=species:S:1:pos:R:3\nLi 0 0 0\nCl 2 2 2\n"
      let frames = [frame, frame, frame, frame.replacing(sound, with: damaged), frame, frame].joined()
      try FileIO.write(frames.utf8, to: directory + "/frames.xyz")
      let run = try diffnnp("train frames.xyz --temperature 300 -o m.safetensors", in: directory)
      #expect(run.exitCode == 1 && run.errors.contains(reason), "\(run.errors)")
      #expect(run.errors.contains("--frames 0:3") && run.errors.filter { $0 == "\n" }.count == 1, "\(run.errors)")
      #expect(try shellResult("ls", in: directory).output == "frames.xyz\n")
    }
  }

  @Test func refusesEmptyNamesAndLonelyAtoms() throws {
    try withDirectory { directory in
      let frame = "1\nLattice=\"9 0 0 0 9 0 0 0 9\" Properties=species:S:1:pos:R:3\nLi 0 0 0\n"
      try FileIO.write((frame + frame).utf8, to: directory + "/frames.xyz")
      for (name, code, reason) in [("''", 2, "output is empty"), ("m", 1, "no frame has more than one atom")] {
        let run = try diffnnp("train frames.xyz --temperature 300 -o \(name)", in: directory)
        #expect(run.exitCode == Int32(code) && run.errors.contains(reason), "\(run.errors)")
      }
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
      #expect(try !FileIO.read(directory + "/m.safetensors.fit.csv").isEmpty)
      #expect(potential.others.isEmpty && potential.grade != nil)

      // The first member of an ensemble is what is trained without the others; grades are its own.
      let ensemble = try diffnnp("train frames.xyz --temperature 300 --members 3 -o e.safetensors", in: directory)
      #expect(ensemble.exitCode == 0, "\(ensemble.errors)")
      let members = try Potential.load(path: directory + "/e.safetensors").members
      #expect(
        members.count == 3 && members[0].term(PairTerm.self) == potential.term(PairTerm.self)
          && members[0].grade == potential.grade)
      #expect(
        members[1].term(PairTerm.self) != potential.term(PairTerm.self)
          && members[2].term(PairTerm.self) != members[1].term(PairTerm.self))
      #expect(try !FileIO.read(directory + "/e.safetensors.member3.fit.csv").isEmpty)
      let evaluated = try diffnnp("evaluate e.safetensors frames.xyz --frames :2 --json -o out.xyz", in: directory)
      let json = try JSONValue(parsing: evaluated.output)
      let (grades, deviations) = (json["grades"]?.array?[0].doubles, json["deviations"]?.array?[0].doubles)
      #expect(grades?.count == 8 && deviations?.count == 8 && deviations?.allSatisfy { $0 > 0 } == true)
      #expect(json["largest_grade"]?.double ?? 9 < 1.1 && json["largest_deviation"]?.double ?? 0 > 0)
      let header = String(decoding: try FileIO.read(directory + "/out.xyz"), as: UTF8.self)
      #expect(header.contains(":forces:R:3:grade:R:1:deviation:R:1"))
    }
  }
}
