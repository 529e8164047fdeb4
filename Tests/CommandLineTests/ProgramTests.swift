import DiffNNP
import DiffNNPCommandLine
import DiffNNPFrames
import DiffNNPTraining
import Testing

@testable import diffnnp
@testable import diffnnp_lab

#if canImport(Glibc)
  import Glibc
#endif

/// Runs the real program, and looks at its output and exit code.
@Suite struct ProgramTests {
  /// u(r) = cubic B-splines for Li-Li, Li-Cl, Cl-Cl.
  static func potential() throws -> Potential {
    let free = (0..<3 * 20).map { sin(Double($0)) }
    var metadata = PotentialMetadata()
    metadata.temperature = 300
    metadata.smallestDistances = [3.5, 2, .infinity]
    metadata.provenance = ["program": "diffnnp"]
    return try Potential(
      typeNames: ["Li", "Cl"], energyScale: 0.025, terms: [PairTerm(typeCount: 2, rMax: 6, intervals: 20, free: free)],
      metadata: metadata)
  }

  static let frames = """
    3
    Lattice="10 0 0 1 11 0 2 -1 12" Properties=species:S:1:pos:R:3:forces:R:3 pbc="T T T"
    Cl 0 0 0 0.5 0 0
    Li 2 1 0 0 0.25 0
    Li 9 3 11 0 0 -0.125
    2
    Lattice="10 0 0 1 11 0 2 -1 12" Properties=species:S:1:pos:R:3:forces:R:3 pbc="T T F"
    Li 1 2 3 0 0 0
    Cl 3 2 2 0 1 0

    """

  /// A directory with model.safetensors and frames.xyz.
  static func withFiles(_ body: (String) throws -> Void) throws {
    try withDirectory { directory in
      try potential().save(path: directory + "/model.safetensors")
      try FileIO.write(Array(frames.utf8), to: directory + "/frames.xyz")
      try body(directory)
    }
  }

  @Test(arguments: [false, true])
  func helps(isLab: Bool) throws {
    let program = isLab ? Program.lab : Program.diffnnp
    let run = isLab ? diffnnpLab : diffnnp
    try withDirectory { directory in
      let help = try run("--help", directory)
      #expect(help.exitCode == 0 && help.errors.isEmpty && help.output.contains(program.purpose))
      for command in program.commands {
        #expect(help.output.contains("  \(command.syntax.name)"))
        let page = try run("\(command.syntax.name) --help", directory)
        #expect(page.exitCode == 0 && page.output == command.syntax.helpPage)
        #expect(page.output.hasPrefix("Usage: \(program.name) \(command.syntax.name) "))
        for option in command.syntax.options { #expect(page.output.contains(option.name)) }
      }
      let version = try run("--version", directory)
      #expect(version.output == "\(program.name) \(diffnnpVersion)\n")
    }
  }

  @Test func evaluates() throws {
    try Self.withFiles { directory in
      let run = try diffnnp(
        "evaluate model.safetensors frames.xyz --json --precision=double -o out.xyz", in: directory)
      #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
      let json = try JSONValue(parsing: run.output)
      let energies = try #require(json["energies"]?.doubles)
      let written = try Trajectory.read(path: directory + "/out.xyz")
      let given = try Trajectory.read(path: directory + "/frames.xyz", TrajectorySelection(species: ["Li", "Cl"]))
      #expect(json["frames"]?.int == 2 && energies.count == 2 && written.frames.count == 2)

      var (squaredError, squared) = (0.0, 0.0)
      let potential = try Self.potential()
      for (k, frame) in given.frames.enumerated() {
        let (energy, forces) = try Self.reference(potential, frame.configuration)
        #expect(abs(energies[k] - energy) < 1e-12)
        #expect(written.frames[k].positions == frame.positions)
        let inJSON = try #require(json["forces"]?.array?[k].array).map { try #require($0.doubles) }
        for i in forces.indices {
          #expect(length(try #require(written.frames[k].forces)[i] - forces[i]) < 1e-12)
          #expect(length(SIMD3(inJSON[i]) - forces[i]) < 1e-12)
          let error = forces[i] - (try #require(frame.forces))[i]
          squaredError += dot(error, error)
          squared += dot(frame.forces![i], frame.forces![i])
        }
      }
      let (rmse, rms) = ((squaredError / 15).squareRoot(), (squared / 15).squareRoot())
      #expect(abs((json["force_rmse"]?.double ?? 0) - rmse) < 1e-12)
      #expect(abs((json["force_rms"]?.double ?? 0) - rms) < 1e-12)
      #expect(abs((json["relative_force_error"]?.double ?? 0) - rmse / rms) < 1e-12)

      let text = try diffnnp("evaluate model.safetensors frames.xyz --frames -1:", in: directory)
      #expect(text.exitCode == 0 && text.output.contains("\n1  \(energies[1])  "))
    }
  }

  /// Measures do not depend on the order in which the model names the species of a file with forces.
  @Test func mapsSpecies() throws {
    let frames = besideThisFile("../DiffNNPFramesTests/Fixtures/stored.npz")
    let free: [[Double]] = (0..<3).map { p in (0..<20).map { sin(Double(20 * p + $0)) } }
    func evaluate(_ names: [String], _ coefficients: [Double]) throws -> JSONValue {
      var json = JSONValue.null
      try withDirectory { directory in
        let pair = try PairTerm(typeCount: 2, rMax: 6, intervals: 20, free: coefficients)
        try Potential(typeNames: names, energyScale: 0.025, terms: [pair])
          .save(path: directory + "/model.safetensors")
        let run = try diffnnp("evaluate model.safetensors '\(frames)' --json --temperature 300", in: directory)
        #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
        json = try JSONValue(parsing: run.output)
      }
      return json
    }
    let json = try evaluate(["Li", "Cl"], free[0] + free[1] + free[2])
    #expect(json == (try evaluate(["Cl", "Li"], free[2] + free[1] + free[0])))
    // F = -R/8 of the fixture.
    let components: [Double] = (0..<27).map { 0.0625 * Double($0) + 0.03125 }
    let squared: Double = components.reduce(0) { $0 + $1 * $1 }
    #expect(abs(try #require(json["force_rms"]?.double) - (squared / 27).squareRoot()) < 1e-12)
  }

  /// ½|s|² + div s of the pair term by central differences along each coordinate, against the program's estimate.
  @Test func estimatesTheObjective() throws {
    try Self.withFiles { directory in
      let potential = try Self.potential()
      let frame = try Trajectory.read(
        path: directory + "/frames.xyz", TrajectorySelection(species: ["Li", "Cl"])
      ).frames[0]
      let thermalEnergy = boltzmannConstant * 300
      func score(_ configuration: Configuration) throws -> [SIMD3<Double>] {
        try Self.reference(potential, configuration).forces.map { $0 / thermalEnergy }
      }
      var exact = 0.5 * (try score(frame.configuration)).reduce(0) { $0 + dot($1, $1) }
      let h = 1e-4
      for i in 0..<3 {
        for k in 0..<3 {
          var (up, down) = (frame.configuration, frame.configuration)
          up.positions[i][k] += h
          down.positions[i][k] -= h
          exact += (try score(up)[i][k] - score(down)[i][k]) / (2 * h)
        }
      }
      // The same frame many times: the mean over its noise.
      let text = try FileIO.read(directory + "/frames.xyz")
      let first = text.split(separator: UInt8(ascii: "\n")).prefix(5).joined(separator: [UInt8(ascii: "\n")])
      let many = Array(repeatElement(Array(first) + [UInt8(ascii: "\n")], count: 2000).joined())
      try FileIO.write(many, to: directory + "/many.xyz")
      let run = try diffnnp("evaluate model.safetensors many.xyz --json --sigma 0.001", in: directory)
      #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
      let json = try JSONValue(parsing: run.output)
      let (value, error) = (try #require(json["objective"]?.double), try #require(json["objective_error"]?.double))
      #expect(abs(value - exact / 3) < 5 * error)
      #expect(error > 0 && error < 0.1 * abs(exact / 3))
    }
  }

  /// Sums over all images, from the definition of the pair term.
  static func reference(
    _ potential: Potential, _ configuration: Configuration
  ) throws -> (energy: Double, forces: [SIMD3<Double>]) {
    let pair = try #require(potential.term(PairTerm.self))
    let (x, cell) = (configuration.positions, configuration.cell)
    var energy = 0.0
    var forces = [SIMD3<Double>](repeating: .zero, count: x.count)
    let reach = cell.periodic.map { $0 ? -2...2 : 0...0 }
    for i in x.indices {
      for j in x.indices {
        for a in reach[0] {
          for b in reach[1] {
            for c in reach[2] where !(i == j && a == 0 && b == 0 && c == 0) {
              let d = x[j] - x[i] + cell.cartesian([Double(a), Double(b), Double(c)])
              let (u, slope) = pair.value(configuration.types[i], configuration.types[j], at: length(d))
              energy += 0.5 * potential.energyScale * u
              forces[i] += potential.energyScale * slope / length(d) * d
            }
          }
        }
      }
    }
    return (energy, forces)
  }

  @Test func inspects() throws {
    try Self.withFiles { directory in
      let text = try diffnnp("inspect model.safetensors", in: directory)
      #expect(text.exitCode == 0 && text.output.contains("Li Cl") && text.output.contains("Cl-Cl never seen"))
      let run = try diffnnp("inspect --json model.safetensors", in: directory)
      let json = try JSONValue(parsing: run.output)
      #expect(json["type_names"]?.strings == ["Li", "Cl"])
      #expect(json["r_max"]?.double == 6 && json["temperature"]?.double == 300)
      #expect(json["smallest_distances"]?["Li-Cl"]?.double == 2)
      #expect(json["smallest_distances"]?["Cl-Cl"] == .null)
    }
  }

  /// Frames and weight files that must be refused.
  private static func writeDamaged(_ directory: String) throws {
    func frame(_ comment: String, _ atoms: [String]) -> [UInt8] {
      Array("\(atoms.count)\n\(comment)\n\(atoms.joined(separator: "\n"))\n".utf8)
    }
    let cell = "Lattice=\"9 0 0 0 9 0 0 0 9\" Properties=species:S:1:pos:R:3"
    let files = [
      ("bare", frame("Properties=species:S:1:pos:R:3", ["Li 0 0 0"])),
      ("flat", frame(cell.replacing("0 0 9\"", with: "9 9 0\""), ["Li 0 0 0"])),
      ("nan", frame(cell, ["Li nan 0 0", "Cl 2 2 2"])),
      ("twice", frame(cell, ["Li 1 1 1", "Cl 2 2 2", "Cl 10 1 1"])),
      ("empty", []), ("thin", frame(cell.replacing("0 0 9\"", with: "0 0 1e-5\""), ["Li 1 1 1"])),
      ("slim", frame(cell.replacing("9 0 0 0 9 0 0 0 9", with: "0.1 0 0 0 0.1 0 0 0 0.1"), ["Li 1 1 1"])),
    ]
    for (name, bytes) in files { try FileIO.write(bytes, to: "\(directory)/\(name).xyz") }
    let model = try FileIO.read(directory + "/model.safetensors")
    let newer = model.replacing(
      Array("\"format_version\": \"1\"".utf8), with: Array("\"format_version\": \"7\"".utf8))
    let changed = Array(model.dropLast()) + [model.last! ^ 1]
    for (name, bytes) in [("newer", newer), ("changed", changed), ("short", Array(model.prefix(100)))] {
      try FileIO.write(bytes, to: "\(directory)/\(name).safetensors")
    }
  }

  /// Command line, exit code, and what the one line of the error has.
  @Test(arguments: [
    ("", 2, "no verb"), ("evaluatte", 2, "did you mean evaluate?"), ("--jsn", 2, "no verb"),
    ("study study.yaml", 2, "run diffnnp-lab study"), ("noise-scan --help", 2, "run diffnnp-lab noise-scan"),
    ("inspect", 2, "expects MODEL"), ("inspect a b", 2, "expects MODEL"),
    ("inspect model.safetensors --jso", 2, "did you mean --json?"),
    ("inspect model.safetensors --json=1", 2, "takes no value"),
    ("inspect model.safetensors --json --json", 2, "twice"),
    ("evaluate model.safetensors frames.xyz --output", 2, "--output needs a value"),
    ("evaluate model.safetensors frames.xyz --output --json", 2, "--output needs a value"),
    ("evaluate model.safetensors frames.xyz --precision half", 2, "expected single or double"),
    ("evaluate model.safetensors frames.xyz --frames 3", 2, "START:STOP:STEP"),
    ("evaluate model.safetensors frames.xyz --temperature 0", 1, "temperature is 0.0 K"),
    ("evaluate model.safetensors frames.xyz --temperature 1e-300", 1, "temperature is 1e-300 K"),
    ("evaluate model.safetensors frames.xyz --sigma -1", 1, "sigma is -1.0 Å"),
    ("evaluate model.safetensors frames.xyz --sigma 1e-300", 1, "sigma is 1e-300 Å"),
    ("evaluate model.safetensors frames.xyz --draws 0", 1, "draws are 0"),
    ("evaluate model.safetensors frames.xyz --draws 1000000000000", 1, "expected 1 to 10000"),
    ("evaluate cold.safetensors frames.xyz --sigma 0.1", 2, "give --temperature"),
    ("inspect none.safetensors", 1, "none.safetensors: No such file"), ("inspect .", 1, "Is a directory"),
    ("inspect frames.xyz", 1, "not a safetensors file"),
    ("evaluate model.safetensors none.xyz", 1, "none.xyz: No such file"),
    ("evaluate model.safetensors frames.xyz --select Na", 1, "none of its atoms is Na"),
    ("evaluate model.safetensors frames.xyz --frames 7:", 1, "no frames"),
    ("evaluate model.safetensors sodium.xyz", 1, "Na is unknown to the model, which has the types Li Cl"),
    ("evaluate model.safetensors frames.xyz -o none/out.xyz", 1, "No such file"),
    ("evaluate model.safetensors frames.xyz -o .", 1, "Is a directory"),
    ("evaluate model.safetensors frames.xyz -o /dev/stdout", 1, "would replace the file that messages go to"),
    ("evaluate model.safetensors slim.xyz", 1, "slim.xyz: frame 0: the cell is too small for a cutoff of 6.0 Å"),
    (
      "evaluate model.safetensors thin.xyz", 1,
      "thin.xyz:1: frame 0: atom 1 meets its own image, because the cell is too small"
    ),
    ("evaluate model.safetensors frames.xyz -o ./model.safetensors", 1, "would replace the input model.safetensors"),
    ("evaluate model.safetensors frames.xyz -o frames.xyz", 1, "would replace the input frames.xyz"),
    ("evaluate model.safetensors .", 1, "Is a directory"),
    ("evaluate model.safetensors model.safetensors", 1, "it is binary"),
    ("evaluate model.safetensors bare.xyz", 1, "bare.xyz:2: the frame has no cell"),
    ("evaluate model.safetensors flat.xyz", 1, "flat.xyz:2: degenerate cell"),
    ("evaluate model.safetensors nan.xyz", 1, "nan.xyz:3: expected a finite number"),
    ("evaluate model.safetensors twice.xyz", 1, "are in one place"),
    ("evaluate model.safetensors empty.xyz", 1, "the file is empty"),
    ("evaluate short.safetensors frames.xyz", 1, "truncated"),
    ("evaluate newer.safetensors frames.xyz", 1, "format version is 7"),
    ("evaluate changed.safetensors frames.xyz", 1, "checksum is wrong"),
    ("evaluate model.safetensors frames.xyz -o out.xyz.gz", 1, "uncompressed"),
    ("inspect model.safetensors >/dev/full", 1, "No space left"),
  ])
  func explains(_ arguments: String, _ exitCode: Int32, _ reason: String) throws {
    try Self.withFiles { directory in
      let sodium = Array(Self.frames.replacing("Cl", with: "Na").utf8)
      try FileIO.write(sodium, to: directory + "/sodium.xyz")
      let potential = try Self.potential()
      try Potential(typeNames: potential.typeNames, energyScale: 1, terms: [potential.term(PairTerm.self)])
        .save(path: directory + "/cold.safetensors")
      try Self.writeDamaged(directory)
      let run = try diffnnp(arguments, in: directory)
      #expect(run.exitCode == exitCode && run.output.isEmpty)
      #expect(run.errors.hasPrefix("diffnnp: error: ") && run.errors.contains(reason), "\(run.errors)")
      #expect(run.errors.filter { $0 == "\n" }.count == 1)
    }
  }

  /// A disk that fills up, played by a limit on the size of files, leaves the old file as it was.
  @Test func keepsFilesWhenDiskIsFull() throws {
    try Self.withFiles { directory in
      let many = Array(String(repeating: Self.frames, count: 100).utf8)
      try FileIO.write(many, to: directory + "/many.xyz")
      try FileIO.write(Array("precious".utf8), to: directory + "/out.xyz")
      let run = try shellResult(
        "ulimit -f 8 && '\(programPath)' evaluate model.safetensors many.xyz -o out.xyz", in: directory)
      #expect(run.exitCode == 1 && run.errors.contains("out.xyz: File too large"), "\(run.errors)")
      #expect(String(decoding: try FileIO.read(directory + "/out.xyz"), as: UTF8.self) == "precious")
      let left = try shellResult("ls out.xyz*", in: directory)
      #expect(left.output == "out.xyz\n")
    }
  }
}

extension SIMD3<Double> {
  init(_ values: [Double]) { self.init(values[0], values[1], values[2]) }
}
