import DiffNNP
import Testing

@testable import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// `import-nequip`, then `evaluate`, against energies and forces by nequip itself in double precision.
@Suite struct ImportNequIPTests {
  /// Random-weight models of every kind.
  static let randomModels = [
    "l0", "l1-2layers", "l1-parity-1layer", "l1-smallcell", "l2-3layers", "l2-parity", "l3-2layers",
  ].map { besideThisFile("../DiffNNPTests/Fixtures/nequip-random/\($0)") }

  /// A published model, where it has been put beside the checkout. Its Clebsch–Gordan tables are single precision.
  static let publishedModel = besideThisFile("../../../shared/data/nequip-licl")

  @Test(arguments: randomModels)
  func reproducesReference(_ folder: String) throws {
    try compare(folder, doubleTolerance: 1e-9)
  }

  @Test(.enabled(if: access(publishedModel, F_OK) == 0, "the published LiCl model is not beside the checkout"))
  func reproducesPublishedModel() throws {
    try compare(Self.publishedModel, doubleTolerance: 1e-6)
  }

  private func compare(_ folder: String, doubleTolerance: Double) throws {
    let archive = try ZipArchive(path: folder + "/reference.npz")
    func array(_ name: String) throws -> NPYArray {
      try #require(try archive.array(name))
    }
    let (energies, forces) = (try array("E"), try array("F"))
    try withDirectory { directory in
      let imported = try diffnnp("import-nequip '\(folder)/weights.safetensors' -o model.safetensors", in: directory)
      #expect(imported.exitCode == 0 && imported.output.isEmpty, "\(imported.errors)")
      for (option, tolerance) in [("--precision double", doubleTolerance), ("", 1e-5)] {
        let run = try diffnnp("evaluate model.safetensors '\(folder)/reference.npz' --json \(option)", in: directory)
        #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
        let json = try JSONValue(parsing: run.output)
        let computed = try #require(json["energies"]?.doubles)
        #expect(computed.count == energies.count)
        for (k, energy) in computed.enumerated() {
          #expect(abs(energy - energies.double(k)) <= tolerance * abs(energies.double(k)))
        }
        let components = try #require(json["forces"]?.array).flatMap { frame in
          try #require(frame.array).flatMap { try #require($0.doubles) }
        }
        #expect(components.count == forces.count)
        let rms = try #require(json["force_rms"]?.double)
        for (k, component) in components.enumerated() {
          #expect(abs(component - forces.double(k)) <= tolerance * rms)
        }
        #expect(try #require(json["relative_force_error"]?.double) <= tolerance)
      }
    }
  }

  @Test func tellsWhatItDoesWithTheScale() throws {
    let folder = Self.randomModels[1]
    var file = try SafetensorsFile(path: folder + "/weights.safetensors")
    file.tensors.removeAll { $0.name == "scale_by" }
    file.tensors.append(NamedTensor(name: "scale_by", shape: [], values: [1.75]))
    func energies(_ options: String, note: Bool) throws -> [Double] {
      var result: [Double] = []
      try withDirectory { directory in
        try FileIO.write(file.serialised(), to: directory + "/weights.safetensors")
        let run = try diffnnp("import-nequip weights.safetensors -o m.safetensors --json \(options)", in: directory)
        #expect(run.exitCode == 0)
        #expect(run.errors.contains("scale_by = 1.75 is left out") == note && run.errors.isEmpty != note)
        let json = try JSONValue(parsing: run.output)
        #expect(json["dropped_scale_by"]?.double == (note ? 1.75 : nil))
        #expect(json["type_names"]?.strings == ["Li", "Cl"])
        #expect(json["provenance"]?["imported from"]?.string == "weights.safetensors")
        #expect(json["provenance"]?["nequip_version"]?.string == "0.5.6")
        #expect(json["provenance"]?["e3nn_version"]?.string == "0.4.4")
        let evaluated = try diffnnp(
          "evaluate m.safetensors '\(folder)/reference.npz' --json --precision double", in: directory)
        result = try #require(try JSONValue(parsing: evaluated.output)["energies"]?.doubles)
      }
      return result
    }
    let plain = try energies("--scale-by ignore", note: true)
    #expect(try energies("", note: true) == plain)
    for (scaled, energy) in zip(try energies("--scale-by apply", note: false), plain) {
      #expect(abs(scaled - 1.75 * energy) < 1e-12 * abs(energy))
    }
  }

  /// Command line, exit code, and what the one line of the error has.
  @Test(arguments: [
    ("weights.safetensors", 2, "--output is missing"),
    ("weights.safetensors -o m.safetensors --scale-by never", 2, "expected apply or ignore or auto"),
    ("none.safetensors -o m.safetensors", 1, "none.safetensors: No such file"),
    ("short.safetensors -o m.safetensors", 1, "short.safetensors: truncated safetensors file"),
    ("bare.safetensors -o m.safetensors", 1, "bare.safetensors: no NequIP configuration"),
    ("fewer.safetensors -o m.safetensors", 1, "is missing"),
    ("kcal.safetensors -o m.safetensors", 1, "its units are \"kcal/mol, Angstrom\""),
    ("weights.safetensors -o none/m.safetensors", 1, "No such file"),
    ("weights.safetensors -o weights.safetensors", 1, "would replace the input"),
  ])
  func explains(_ arguments: String, _ exitCode: Int32, _ reason: String) throws {
    let file = try SafetensorsFile(path: Self.randomModels[0] + "/weights.safetensors")
    var (bare, fewer, kcal) = (file, file, file)
    bare.metadata["config"] = nil
    fewer.tensors.removeAll { $0.name.contains("chemical_embedding") }
    kcal.metadata["units"] = "kcal/mol, Angstrom"
    try withDirectory { directory in
      for (name, file) in [("weights", file), ("bare", bare), ("fewer", fewer), ("kcal", kcal)] {
        try FileIO.write(file.serialised(), to: "\(directory)/\(name).safetensors")
      }
      try FileIO.write(Array(file.serialised().dropLast(8)), to: directory + "/short.safetensors")
      let run = try diffnnp("import-nequip \(arguments)", in: directory)
      #expect(run.exitCode == exitCode && run.output.isEmpty)
      #expect(run.errors.hasPrefix("diffnnp: error: ") && run.errors.contains(reason), "\(run.errors)")
      #expect(run.errors.filter { $0 == "\n" }.count == 1)
      #expect(try shellResult("ls *m.safetensors", in: directory).output.isEmpty)
    }
  }
}
