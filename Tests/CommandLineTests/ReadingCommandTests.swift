import DiffNNP
import Testing

/// What verbs say of files, and what their options do to reading.
@Suite struct ReadingCommandTests {
  /// Ten jittered crystals of Li and Cl, 3 Å apart, with forces of 1 kcal/mol/Å along x, as a dump of numbered types and as
  /// extended XYZ.
  private func withFrames(_ body: (String) throws -> Void) throws {
    try withDirectory { directory in
      var (dump, xyz) = ("", "")
      for k in 0..<10 {
        var random = Philox(seed: 1, purpose: .noise, frame: k)
        dump += "ITEM: TIMESTEP\n\(k)\nITEM: NUMBER OF ATOMS\n8\nITEM: BOX BOUNDS pp pp pp\n0 6\n0 6\n0 6\n"
        dump += "ITEM: ATOMS id type x y z fx fy fz\n"
        xyz += "8\nLattice=\"6 0 0 0 6 0 0 0 6\" Properties=species:S:1:pos:R:3:dft_forces:R:3\n"
        for site in 0..<8 {
          let x = 3 * SIMD3(Double(site & 1), Double(site >> 1 & 1), Double(site >> 2)) + 0.3 * random.normal3()
          dump += "\(site + 1) \(1 + site % 2) \(x.x) \(x.y) \(x.z) 1 0 0\n"
          xyz += "\(site % 2 == 0 ? "Li" : "Cl") \(x.x) \(x.y) \(x.z) 1 0 0\n"
        }
      }
      try FileIO.write(dump.utf8, to: directory + "/types.dump")
      try FileIO.write(xyz.utf8, to: directory + "/names.xyz")
      try FileIO.write((xyz + xyz).utf8, to: directory + "/twice.xyz")
      let first = xyz.split(separator: "\n").prefix(10).joined(separator: "\n") + "\n"
      try FileIO.write(String(repeating: first, count: 3).utf8, to: directory + "/alike.xyz")
      try ProgramTests.potential().save(path: directory + "/model.safetensors")
      try body(directory)
    }
  }

  @Test func comparesFilesWithAndWithoutNames() throws {
    try withFrames { directory in
      for files in ["types.dump names.xyz", "names.xyz types.dump"] {
        let run = try diffnnp("rdf \(files) --types Li,Cl --rmax 5 --json", in: directory)
        #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
        let curves = try #require(try JSONValue(parsing: run.output)["curves"]?.array)
        #expect(curves.count == 2 && curves[0]["g"] == curves[1]["g"])
        #expect(curves[1]["rdf_mae"]?["LiCl"]?.double == 0)
      }
    }
  }

  @Test func readsUnitsAndNamesOfForces() throws {
    try withFrames { directory in
      func forces(_ arguments: String) throws -> Double? {
        let run = try diffnnp("evaluate model.safetensors \(arguments) --json", in: directory)
        #expect(run.exitCode == 0, "\(run.errors)")
        return try JSONValue(parsing: run.output)["force_rms"]?.double
      }
      let one = 1 / 3.0.squareRoot()
      #expect(abs((try forces("types.dump --types Li,Cl") ?? 0) - one) < 1e-9)
      #expect(abs((try forces("types.dump --types Li,Cl --units real") ?? 0) - 0.043_364_104_24 * one) < 1e-9)
      #expect(abs((try forces("types.dump --types Li,Cl --units Ang,kJ/mol/nm") ?? 0) - 0.001_036_426_97 * one) < 1e-9)
      #expect(try forces("names.xyz") == nil)
      #expect(abs((try forces("names.xyz --forces-name dft_forces") ?? 0) - one) < 1e-9)
      let bare = try diffnnp("evaluate model.safetensors names.xyz", in: directory)
      #expect(bare.errors.hasPrefix("evaluate: warning: names.xyz: dft_forces looks like forces"), "\(bare.errors)")
    }
  }

  @Test(arguments: [
    (
      "train names.xyz --temperature 300 -o m --objective forces", 1,
      "dft_forces looks like them: read it with --forces-name"
    ),
    ("train names.xyz --temperature 300 -o m --forces-name REF", 1, "there are no forces REF:R:3 in Properties"),
    ("train alike.xyz --temperature 300 -o m", 1, "alike.xyz: all 3 frames are alike"),
    ("train types.dump --temperature 300 -o m --types Li,Li", 1, "type names must be given once each"),
    ("train types.dump --temperature 300 -o m --set units=parsec", 1, "units is refused: units \"parsec\" are unknown"),
    ("train types.dump --temperature 300 -o m --units lj", 1, "units lj have no size in Å"),
    ("evaluate model.safetensors types.dump --types Li,Li", 2, "type names must be given once each"),
    ("evaluate model.safetensors types.dump --units parsec", 2, "units \"parsec\" are unknown"),
    ("rdf types.dump --units pm,eV/pm", 1, "most atoms have a neighbour closer than 0.6 Å"),
  ])
  func explains(_ arguments: String, _ exitCode: Int32, _ reason: String) throws {
    try withFrames { directory in
      let run = try diffnnp(arguments, in: directory)
      #expect(run.exitCode == exitCode && run.output.isEmpty && run.errors.contains(reason), "\(run.errors)")
      #expect(run.errors.hasPrefix("diffnnp: error: ") && run.errors.filter { $0 == "\n" }.count == 1)
    }
  }

  /// Repeats are left out and counted where structure is measured, and each is evaluated.
  @Test func leavesOutRepeats() throws {
    try withFrames { directory in
      let run = try diffnnp("rdf twice.xyz --rmax 5", in: directory)
      #expect(run.exitCode == 0 && run.output.hasPrefix("twice.xyz, 10 frames"), "\(run.output)")
      #expect(
        run.errors == "rdf: warning: twice.xyz: 10 frames left out, which are there before, equal in all digits\n")
      let each = try diffnnp("evaluate model.safetensors twice.xyz --json", in: directory)
      #expect(try JSONValue(parsing: each.output)["frames"]?.int == 20)
    }
  }
}
