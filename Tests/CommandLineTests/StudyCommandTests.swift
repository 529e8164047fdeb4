import DiffNNP
import Testing

/// `diffnnp-lab study`, run as a user runs it, on frames alone: LAMMPS is left to the runs of `make figures QUICK=1`.
@Suite struct StudyCommandTests {
  private let study = """
    results: results
    work: work
    template: report.in
    report: report.md
    systems:
      gas:
        frames: frames.xyz
        reference: reference.csv
        shells: {ArAr: [3, 5]}
    rows:
      - name: frames
        label: the frames
        frames_themselves: true
        trials:
          - {system: gas, frames: [5, 10], replicas: 2}
    tables:
      - name: main
        system: gas
        rows: [frames]
        columns:
          - {measure: rdf_mae.ArAr, head: error, digits: 4}
    figures:
      - name: curve
        system: gas
        rows: [frames]
        measures:
          - {measure: rdf_mae.ArAr, head: error}

    """

  private func withStudy(_ text: String? = nil, _ body: (String) throws -> Void) throws {
    try withDirectory { directory in
      var frames = ""
      for k in 0..<20 {
        var random = Philox(seed: 2, purpose: .noise, frame: k)
        frames += "12\nLattice=\"11 0 0 0 11 0 0 0 11\" Properties=species:S:1:pos:R:3 pbc=\"T T T\"\n"
        for _ in 0..<12 {
          frames += "Ar \(11 * random.uniform()) \(11 * random.uniform()) \(11 * random.uniform())\n"
        }
      }
      try FileIO.write(frames.utf8, to: "\(directory)/frames.xyz")
      try FileIO.write((text ?? study).utf8, to: "\(directory)/study.yaml")
      let report =
        "{{table main}}\n{{value gas frames 10 rdf_mae.ArAr 3}} {{failures gas frames}}\n{{figure curve A b}}\n"
      try FileIO.write(report.utf8, to: "\(directory)/report.in")
      let rdf = try diffnnp("rdf frames.xyz -o reference.csv --rmax 6", in: directory)
      #expect(rdf.exitCode == 0, "\(rdf.errors)")
      // Stands for LAMMPS, which frames alone do not need.
      try FileIO.write("#!/bin/sh\n".utf8, to: "\(directory)/lmp")
      _ = try shellResult("chmod +x lmp", in: directory)
      try body(directory)
    }
  }

  @Test func tabulatesAndDrawsAndDoesNotRepeat() throws {
    try withStudy { directory in
      let first = try diffnnpLab("study study.yaml --launcher ./lmp", in: directory)
      #expect(first.exitCode == 0, "\(first.errors)")
      #expect(first.errors.contains("4 of 4 trainings to do") && first.output == "report.md\n")
      let report = String(decoding: try FileIO.read("\(directory)/report.md"), as: UTF8.self).split(separator: "\n")
      #expect(report[0] == "| | frames | n | error |" && report[2].hasPrefix("| the frames | 5 | 2 | 0."))
      #expect(report.contains { $0.hasPrefix("0.") && $0.hasSuffix("0 of 4") })
      #expect(report.contains("![A b](results/curve.svg)"))
      let svg = String(decoding: try FileIO.read("\(directory)/results/curve.svg"), as: UTF8.self)
      #expect(svg.contains("training frames"))
      let table = String(decoding: try FileIO.read("\(directory)/results/gas.csv"), as: UTF8.self)
      #expect(table.split(separator: "\n").count == 3)

      let second = try diffnnpLab("study study.yaml --launcher ./lmp", in: directory)
      #expect(second.errors.contains("0 of 4 trainings to do"), "\(second.errors)")
      // A record made with other settings is out of date.
      let other = study.replacing("[3, 5]", with: "[3.5, 5]")
      try FileIO.write(other.utf8, to: "\(directory)/study.yaml")
      let third = try diffnnpLab("study study.yaml --launcher ./lmp", in: directory)
      #expect(third.errors.contains("4 of 4 trainings to do"), "\(third.errors)")
    }
  }

  /// More frames of an ideal gas are a better sample of it.
  @Test func recordsHoldTheMeasures() throws {
    try withStudy { directory in
      #expect(try diffnnpLab("study study.yaml --launcher ./lmp", in: directory).exitCode == 0)
      func error(_ frames: Int) throws -> Double {
        let path = "\(directory)/results/runs/gas/frames-\(frames)-1.json"
        return try #require(JSONValue(parsing: FileIO.read(path))["measures"]?["rdf_mae.ArAr"]?.double)
      }
      let (few, many) = (try error(5), try error(10))
      #expect(many < few)
    }
  }

  @Test(arguments: [
    (
      "frames_themselves: true", "frames_themself: true",
      "needs one of training, recipe, program, and frames_themselves"
    ),
    ("system: gas, frames", "system: gsa, frames", "system is \"gsa\" (did you mean gas?)"),
    ("rows: [frames]", "rows: [frame]", "rows has \"frame\" (did you mean frames?)"),
    ("shells:", "shell:", "unknown key systems.gas.shell (did you mean shells?)"),
    ("replicas: 2", "replicas: 0", "replicas is 0; expected a positive number"),
    ("frames: [5, 10]", "frames: [5, 100]", "has 20 frames; ask for fewer"),
    ("frames.xyz", "missing.xyz", "missing.xyz: No such file"),
  ])
  func refuses(_ what: String, _ instead: String, _ reason: String) throws {
    try withStudy(study.replacing(what, with: instead)) { directory in
      let result = try diffnnpLab("study study.yaml --launcher ./lmp", in: directory)
      #expect(result.exitCode == 1 && result.errors.contains(reason), "\(result.errors)")
    }
  }

  @Test(arguments: [
    ("--rows default", "--rows default: no such row"), ("--ps 10", "--ps is for --quick"),
  ])
  func refusesOptions(_ options: String, _ reason: String) throws {
    try withStudy { directory in
      let result = try diffnnpLab("study study.yaml \(options) --launcher ./lmp", in: directory)
      #expect(result.exitCode == 2 && result.errors.contains(reason), "\(result.errors)")
    }
  }

  @Test func aTemplatesMistakeHasItsLine() throws {
    try withStudy { directory in
      try FileIO.write("\n{{tabel main}}\n".utf8, to: "\(directory)/report.in")
      let result = try diffnnpLab("study study.yaml --launcher ./lmp", in: directory)
      #expect(result.exitCode == 1 && result.errors.contains("report.in:2: {{tabel main}}"), "\(result.errors)")
    }
  }

  /// The laboratory in a directory of its own, with a row that is trained from row.yaml.
  private func withTraining(_ source: String, _ body: (String) throws -> Void) throws {
    try withStudy(study.replacing("frames_themselves: true", with: "\(source): row.yaml")) { directory in
      try FileIO.write("colour: blue\n".utf8, to: "\(directory)/row.yaml")
      _ = try shellResult("mkdir bin && cp '\(programPath)-lab' bin", in: directory)
      try body(directory)
    }
  }

  /// The program that lies beside the laboratory trains, and where none does, that is said before any work.
  @Test func trainsWithTheProgramBesideIt() throws {
    try withTraining("training") { directory in
      let command = "bin/diffnnp-lab study study.yaml --launcher ./lmp"
      let alone = try shellResult(command, in: directory)
      #expect(alone.exitCode == 1 && alone.errors.contains("diffnnp is not beside this program"), "\(alone.errors)")
      #expect(alone.errors.split(separator: "\n").count == 2)

      try FileIO.write("#!/bin/sh\necho trained with $* >&2\nexit 3\n".utf8, to: "\(directory)/bin/diffnnp")
      _ = try shellResult("chmod +x bin/diffnnp", in: directory)
      let result = try shellResult(command, in: directory)
      #expect(result.exitCode == 1 && result.errors.contains("failed with status 3: trained with train row.yaml"))
      #expect(result.errors.contains("--frames 0:17:4 -o work/gas/frames-5-1/model.safetensors"), "\(result.errors)")
    }
  }

  /// Recipes are for the laboratory's own verb, which here has to refuse the key.
  @Test func trainsRecipesItself() throws {
    try withTraining("recipe") { directory in
      let result = try shellResult("bin/diffnnp-lab study study.yaml --launcher ./lmp", in: directory)
      #expect(result.exitCode == 1 && result.errors.contains("training of gas/frames-5-1 failed with status"))
      #expect(result.errors.contains("diffnnp-lab: error: "), "\(result.errors)")
    }
  }
}
