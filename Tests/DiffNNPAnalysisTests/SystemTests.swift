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
  @Test func failedWriteLeavesTheOldFile() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/a/b/file"
      try makeDirectory("\(directory)/a/b")
      try makeDirectory("\(directory)/a/b")
      try writeFile("old", to: path)
      expectError("no luck") {
        try replacingFile(path) { temporary in
          try writeFile("half", to: temporary)
          throw DiffNNPError("no luck")
        }
      }
      #expect(try readFile(path) == "old")
      #expect(try Subprocess("ls", ["\(directory)/a/b"]).run().output == "file\n")
      expectError("cannot make the directory") { try makeDirectory("\(path)/c") }
      expectError("cannot write") { try writeFile("new", to: "\(directory)/none/file") }
    }
  }

  @Test func numbersAsText() {
    #expect(3.14159.fixed(2) == "3.14")
    #expect((-0.5).fixed(0) == "-0")
    #expect(123456.0.significant(3) == "1.23e+05")
  }
}
