import DiffNNP
import Testing

@testable import DiffNNPAnalysis

@Suite struct SubprocessTests {
  @Test func passesInputAndCapturesOutput() throws {
    let long = String(repeating: "a line of text\n", count: 100_000)
    let result = try Subprocess("sh", ["-c", "cat; echo problem >&2; exit 3"]).run(input: long)
    #expect(result.output == long)
    #expect(result.error == "problem\n")
    #expect(result.status == 3)
  }

  @Test func runsInADirectory() throws {
    #expect(try Subprocess("pwd", directory: "/usr").run().output == "/usr\n")
  }

  @Test func reportsSignals() throws {
    #expect(try Subprocess("sh", ["-c", "kill -9 $$"]).run().status == 137)
  }

  @Test func missingProgram() {
    expectError("cannot start no-such-program: No such file") { _ = try Subprocess("no-such-program").run() }
    #expect(Subprocess.find("no-such-program") == nil)
    #expect(Subprocess.find("sh") != nil)
  }
}

@Suite struct FileTests {
  @Test func makesDirectoriesAboveToo() throws {
    try withTemporaryDirectory { directory in
      try makeDirectory("\(directory)/a/b")
      try makeDirectory("\(directory)/a/b")
      try FileIO.write("text".utf8, to: "\(directory)/a/b/file")
      expectError("cannot make the directory") { try makeDirectory("\(directory)/a/b/file/c") }
    }
  }

  @Test func numbersAsText() {
    #expect(3.14159.fixed(2) == "3.14")
    #expect((-0.5).fixed(0) == "-0")
    #expect(123456.0.significant(3) == "1.23e+05")
  }
}
