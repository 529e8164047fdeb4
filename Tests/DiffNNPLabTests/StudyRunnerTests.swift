import DiffNNP
import DiffNNPCommandLine
import Testing

@testable import DiffNNPLab

#if canImport(Glibc)
  import Glibc
#endif

/// Stands for the verb that asks; nothing here reads frames.
private enum NoVerb: Command {
  static let syntax = Syntax(name: "test", summary: "", operands: "", operandCount: 0...0, options: [])
  static func run(_ arguments: Arguments) throws {}
}

@Suite struct StudyRunnerTests {
  private let study = """
    results: results
    work: work
    systems:
      gas:
        frames: frames.xyz
        reference: reference.csv
        shells: {ArAr: [3, 5]}
        equilibration: 20
    rows:
      - name: trained
        training: row.yaml
        trials:
          - {system: gas, frames: 10, replicas: 3, ps: 500}
      - name: cooked
        recipe: row.yaml
        trials:
          - {system: gas, frames: 10, replicas: 3, ps: 500}
      - name: elsewhere
        training: row.yaml
        pair_style: threads 2
        trials:
          - {system: gas, frames: 10, cells: 2, density: 1.5}
      - name: frames
        frames_themselves: true
        trials:
          - {system: gas, frames: 10}

    """

  private func withRunner(_ body: (StudyRunner) throws -> Void) throws {
    var template = Array("/tmp/diffnnp-test-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let files = [("study.yaml", study), ("row.yaml", "# A comment\nobjective: denoising\n")]
    defer {
      for (name, _) in files { unlink("\(directory)/\(name)") }
      rmdir(directory)
    }
    for (name, text) in files { try FileIO.write(text.utf8, to: "\(directory)/\(name)") }
    try body(StudyRunner(Study(path: "\(directory)/study.yaml"), launcher: nil, for: NoVerb.self))
  }

  /// Records that are there stay valid as long as this text is the same.
  @Test func settingsOfRecords() throws {
    try withRunner { runner in
      let settings = try runner.study.jobs.map { try runner.settings($0) }
      let end = "angles 6.0 shells [\"ArAr [3.0, 5.0]\"]"
      let row = "904c23e1063b6a82"
      for (k, place) in [0.0, 0.5, 1].enumerated() {
        #expect(settings[k] == "\(row) place \(place) T 300.0 500.0 ps at 4.0 fs after 20.0 ps \(end)")
        // A way to learn may become a recipe, and is the same.
        #expect(settings[3 + k] == settings[k])
      }
      #expect(
        settings[6] == "\(row) pair_style threads 2 in 2 cells at density 1.5 place 0.0 T 300.0 1000.0 ps at 4.0 fs "
          + "after 20.0 ps \(end)")
      #expect(settings[7] == "frames place 0.0 T 300.0 \(end)")
    }
  }

  @Test func whoTrains() throws {
    #expect(try StudyRunner.trainer(of: .recipe("a.yaml")) == "/proc/\(getpid())/exe")
    #expect(try StudyRunner.trainer(of: .frames) == nil && StudyRunner.trainer(of: .program("a")) == nil)
  }
}
