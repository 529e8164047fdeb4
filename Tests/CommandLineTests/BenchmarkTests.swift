import DiffNNP
import Testing

/// Runs the real `diffnnp-bench`.
@Suite struct BenchmarkTests {
  static let program = programPath + "-bench"

  @Test func reportsWhatTheHelpPageLists() throws {
    try withDirectory { directory in
      let run = try shellResult("'\(Self.program)' --quick --json", in: directory)
      #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
      let json = try JSONValue(parsing: run.output)
      let runs = try #require(json["runs"]?.array)
      #expect(runs.map { $0["model"]?.string } == ["published", "published", "water", "water"])
      #expect(runs.map { $0["precision"]?.string } == ["single", "double", "single", "double"])
      for run in runs {
        #expect(run["atoms"]?.int == 48)
        let neighbours = run["model"]?.string == "water" ? 17.5 : 12.5
        #expect(abs(try #require(run["neighbours_per_atom"]?.double) - neighbours) < 2)
        for key in ["microseconds_per_atom", "neighbour_search_microseconds_per_atom"] {
          let (lower, upper) = (try #require(run[key]?["lower"]?.double), try #require(run[key]?["upper"]?.double))
          let median = try #require(run[key]?["median"]?.double)
          #expect(0 < lower && lower <= median && median <= upper)
        }
        #expect(run["allocations_per_step"]?.int == 0)
        let stages = try #require(run["stages_microseconds_per_atom"]?.object)
        #expect(
          Set(stages.map(\.key)).isSuperset(of: ["geometry", "messages", "messagesBackward", "featuresBackward"]))
        #expect(stages.allSatisfy { ($0.value.double ?? 0) > 0 })
        let fraction = try #require(run["fraction_of_peak"]?.double)
        #expect(fraction > 0 && fraction < 1)
        for part in ["edges", "evaluator"] { #expect(try #require(run["memory_per_atom"]?[part]?.double) > 100) }
      }
      #expect(json.object?.first?.key == "microseconds_per_atom")
      #expect(json["microseconds_per_atom"] == runs[0]["microseconds_per_atom"]?["median"])
      let training = try #require(json["training"]?.array)
      #expect(training.map { $0["model"]?.string } == ["published", "water"])
      for training in training {
        #expect(try #require(training["frames_per_second"]?.double) > 0)
        #expect(training["atoms"]?.int == 48)
      }
      #expect(json["machine"]?["version"]?.string == "\(diffnnpVersion)")
      #expect(try #require(json["machine"]?["processors"]?.int) > 0)

      let help = try shellResult("'\(Self.program)' --help", in: directory)
      for member in try #require(json.object) { #expect(help.output.contains("  \(member.key) ")) }
      for member in try #require(runs[0].object) { #expect(help.output.contains(member.key)) }
    }
  }

  @Test func takesAnyModel() throws {
    try ProgramTests.withFiles { directory in
      let arguments = "--quick --json --model model.safetensors --sizes 20,300 --neighbours 30 --precision single"
      let run = try shellResult("'\(Self.program)' \(arguments)", in: directory)
      #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
      let json = try JSONValue(parsing: run.output)
      let runs = try #require(json["runs"]?.array)
      #expect(runs.map { $0["atoms"]?.int } == [20, 300])
      for run in runs { #expect(abs(try #require(run["neighbours_per_atom"]?.double) - 30) < 4) }
      #expect(json["training"] == nil && runs[0]["model"]?.string == "model.safetensors")
      let table = try shellResult("'\(Self.program)' --quick --model model.safetensors", in: directory)
      #expect(table.exitCode == 0 && table.output.contains("µs/atom"))
    }
  }

  /// Arguments, exit code, and what the one line of the error has.
  @Test(arguments: [
    ("--sizes 1", 2, "from 2 to 1000000"), ("--sizes 48,", 2, "--sizes has \"\""), ("--precision half", 2, "single"),
    ("--neighbours 0", 2, "positive"), ("--neighbours 500 --sizes 1000000", 2, "too many"),
    ("--seconds -1", 2, "0 or more"), ("--model none", 1, "none: No such file"), ("frames.xyz", 2, "no operands"),
    ("--quik", 2, "did you mean --quick?"),
  ])
  func explains(_ arguments: String, _ exitCode: Int32, _ reason: String) throws {
    try withDirectory { directory in
      let run = try shellResult("'\(Self.program)' \(arguments)", in: directory)
      #expect(run.exitCode == exitCode && run.output.isEmpty)
      #expect(run.errors.hasPrefix("diffnnp-bench: error: ") && run.errors.contains(reason), "\(run.errors)")
      #expect(run.errors.filter { $0 == "\n" }.count == 1)
    }
  }
}
