import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPAnalysis

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct CSVTableTests {
  @Test func curvesSurviveTheirTable() throws {
    let g = try RadialDistribution(TestTrajectories.random(seed: 1), rMax: 5.5, binWidth: 0.25)
    try withTemporaryDirectory { directory in
      try FileIO.write(g.csv.text.utf8, to: "\(directory)/rdf.csv")
      let read = try RadialDistribution(csv: "\(directory)/rdf.csv", typeNames: ["A", "B"])
      #expect(read.binWidth == 0.25)
      for (a, b) in zip(read.values.joined(), g.values.joined()) { #expect(abs(a - b) < 1e-5) }
      for (a, b) in zip(read.errors!.joined(), g.errors!.joined()) { #expect(abs(a - b) < 1e-5) }
      // In the other order of types, the same columns are other pairs.
      let swapped = try RadialDistribution(csv: "\(directory)/rdf.csv", typeNames: ["B", "A"])
      #expect(swapped.values == [read.values[2], read.values[1], read.values[0]])
    }
  }

  @Test(arguments: [
    ("r_A,g_AA\n0.1,1\n0.3\n", "line 3: 1 values, expected 2"),
    ("r_A,g_AA\n0.1,one\n0.3,1\n", "row 1 of g_AA: 'one' is not a number"),
    ("r_A,g_AB\n0.1,1\n0.3,1\n", "no column g_AA"),
    ("r_A,g_AA\n0.1,1\n0.3,nan\n", "row 2 of g_AA: nan is no finite number"),
    ("r_A,g_AA,g_AA\n0.1,1,2\n0.3,1,2\n", "two columns are called g_AA"),
    ("r_A,g_AA\n1,1\n2,1\n", "equal bins that start at zero"),
    ("x,g_AA\n1,1\n2,1\n", "expected a column r_A"),
    ("", "expected a table"),
  ])
  func badTables(_ text: String, _ message: String) throws {
    try withTemporaryDirectory { directory in
      try FileIO.write(text.utf8, to: "\(directory)/t.csv")
      expectError(message) { _ = try RadialDistribution(csv: "\(directory)/t.csv", typeNames: ["A"]) }
    }
  }

  @Test func quotesHoldCommas() throws {
    try withTemporaryDirectory { directory in
      try FileIO.write("name, x\r\n\"a, b\",1\r\nc,2\n".utf8, to: "\(directory)/t.csv")
      let table = try CSVTable(path: "\(directory)/t.csv")
      #expect(table.names == ["name", "x"])
      #expect(table.rows == [["a, b", "1"], ["c", "2"]])
      #expect(try table.numbers("x") == [1, 2])
      expectError("'a, b' is not a number") { _ = try table.numbers("name") }
    }
  }

  @Test func missingFile() {
    expectError("/nowhere/t.csv: No such file") { _ = try CSVTable(path: "/nowhere/t.csv") }
  }
}

/// Runs `body` with the path of a new directory, which is removed afterwards.
func withTemporaryDirectory(_ body: (String) throws -> Void) throws {
  var name = Array("/tmp/diffnnp-test.XXXXXX".utf8CString)
  let directory = try #require(mkdtemp(&name).map { String(cString: $0) })
  defer { _ = try? Subprocess("rm", ["-r", directory]).run() }
  try body(directory)
}
