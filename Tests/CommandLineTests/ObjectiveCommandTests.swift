import DiffNNP
import DiffNNPTraining
import Testing

/// Jittered crystals of eight atoms, eight Å wide, so that the pair term is 4 Å long.
private func writeFrames(_ count: Int, _ directory: String) throws {
  var text = ""
  for k in 0..<count {
    var random = Philox(seed: 2, purpose: .noise, frame: k)
    text += "8\nLattice=\"8 0 0 0 8 0 0 0 8\" Properties=species:S:1:pos:R:3 pbc=\"T T T\"\n"
    for site in 0..<8 {
      let corner = SIMD3(Double(site & 1), Double((site >> 1) & 1), Double(site >> 2))
      let x = 4 * corner + 0.3 * random.normal3()
      text += "Ar \(x.x) \(x.y) \(x.z)\n"
    }
  }
  try FileIO.write(Array(text.utf8), to: directory + "/frames.xyz")
}

/// `learning-curve`, run as a user runs it.
@Suite struct LearningCurveCommandTests {
  @Test func saysWhetherMoreFramesWouldHelp() throws {
    try withDirectory { directory in
      try writeFrames(50, directory)
      let result = try diffnnp("learning-curve frames.xyz --temperature 300 --json", in: directory)
      #expect(result.exitCode == 0, "\(result.errors)")
      let json = try JSONValue(parsing: result.output)
      #expect(json["points"]?.array?.map { $0["n_frames"]?.int } == [40, 20, 10])
      #expect(json["points"]?.array?[0]["excess"]?.double == 0)
      #expect(json["verdict"]?.string?.isEmpty == false)
      let text = try diffnnp("learning-curve frames.xyz --temperature 300", in: directory)
      #expect(text.exitCode == 0 && text.output.split(separator: "\n").count == 5, "\(text.output)")
    }
  }

  @Test(arguments: [
    ("frames.xyz", 2, "give --temperature"), ("frames.xyz --temperature 300", 1, "frames.xyz: a learning curve needs"),
    ("frames.xyz --temperature 300 --plot a.gif", 1, ".svg or .png"),
    ("frames.xyz --temperature 300 --seed -1", 2, "--seed is \"-1\"; expected a whole number above 0"),
    ("frames.xyz --temperature 300 --threads 0", 2, "--threads is \"0\""),
  ])
  func refuses(_ arguments: String, _ code: Int32, _ reason: String) throws {
    try withDirectory { directory in
      try writeFrames(reason.contains("svg") ? 50 : 12, directory)
      let result = try diffnnp("learning-curve \(arguments)", in: directory)
      #expect(result.exitCode == code && result.errors.contains(reason), "\(result.errors)")
      #expect(result.output.isEmpty)
    }
  }
}

/// `diffnnp-lab noise-scan`, run as a user runs it, without LAMMPS.
@Suite struct NoiseScanCommandTests {
  @Test func recommendsASmallLevelForSharpWells() throws {
    try withDirectory { directory in
      try writeFrames(60, directory)
      let command = "noise-scan frames.xyz --temperature 300 --ps 0 --sigma 0.05,0.5"
      let result = try diffnnpLab("\(command) --json --plot a.svg", in: directory)
      #expect(result.exitCode == 0, "\(result.errors)")
      let json = try JSONValue(parsing: result.output)
      #expect(json["recommended_sigma"]?.double == 0.05)
      #expect(json["levels"]?.array?.count == 3 && json["levels"]?.array?[2]["sigma"] == .null)
      #expect(json["levels"]?.array?[0]["excess"]?.double == 0)
      #expect(json["levels"]?.array?[2]["name"]?.string == "likelihood")
      #expect(try FileIO.read("\(directory)/a.svg").count > 1000)
      let text = try diffnnpLab(command, in: directory)
      #expect(text.output.contains("Of single levels, σ = 0.05 Å has the forces closest"), "\(text.output)")
      // What train uses is called what it is, and forces alone are no reason to leave it.
      #expect(text.output.contains("The likelihood, by which diffnnp train learns,"), "\(text.output)")
      #expect(!text.output.contains("ladder") && !text.output.contains("--set noise.mode"), "\(text.output)")
    }
  }

  @Test(arguments: [
    ("", 2, "give --temperature"), ("--temperature 300 --sigma 0.1,x", 2, "expected numbers separated by commas"),
    ("--temperature 300 --ps -1", 2, "expected a time"),
    ("--temperature 300 --ps 0 --sigma -0.1", 1, "noise level -0.1"),
    ("--temperature 300 --launcher /bin/true --timestep 0", 1, "the timestep of a run is 0"),
    ("--temperature 0 --ps 0", 1, "temperature is 0.0 K"),
    ("--temperature 300 --ps 0 --seed 0", 2, "--seed is \"0\""),
    ("--temperature 300 --ps 0 --sigma 0.1,0.2,0.10", 2, "--sigma has 0.1 Å twice"),
  ])
  func refuses(_ arguments: String, _ code: Int32, _ reason: String) throws {
    try withDirectory { directory in
      try writeFrames(12, directory)
      let result = try diffnnpLab("noise-scan frames.xyz \(arguments)", in: directory)
      #expect(result.exitCode == code && result.errors.contains(reason), "\(result.errors)")
      // Before any work.
      #expect(result.errors.split(separator: "\n").count == 1)
    }
  }

  /// A fault of the input before one of the output.
  @Test func saysTheFirstFaultFirst() throws {
    try withDirectory { directory in
      try writeFrames(12, directory)
      let result = try diffnnpLab("noise-scan missing.xyz --temperature 300 -o frames.xyz", in: directory)
      #expect(result.exitCode == 1 && result.errors.contains("missing.xyz: No such file"), "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1)
    }
  }
}
