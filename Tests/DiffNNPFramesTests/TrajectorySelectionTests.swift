import DiffNNP
import Testing

@testable import DiffNNPFrames

@Suite struct TrajectorySelectionTests {
  /// What Python's list(range(10))[slice] gives.
  @Test(arguments: [
    ("2:5", [2, 3, 4]), (":3", [0, 1, 2]), ("7:", [7, 8, 9]), ("::4", [0, 4, 8]), ("-3:", [7, 8, 9]),
    (":-8", [0, 1]), ("-100:2", [0, 1]), ("8:100:1", [8, 9]), ("5:2", []), ("3:-3:2", [3, 5]), (":", Array(0..<10)),
    ("1::9223372036854775807", [1]), ("9223372036854775807:", []),
  ])
  func slicesAsPythonDoes(_ slice: String, _ expected: [Int]) throws {
    #expect(Array(try TrajectorySelection(slice: slice).frames(of: 10)) == expected)
  }

  @Test(arguments: ["5", "", "a:b", "1:2:3:4", "::0", "::-1", "1.5:", "1 :2"])
  func refusesOtherText(_ slice: String) {
    #expect(throws: DiffNNPError.self) { try TrajectorySelection(slice: slice) }
  }

  @Test func refusesSpeciesGivenTwice() {
    #expect(throws: DiffNNPError.self) { try TrajectorySelection(species: ["Li", "Li"], slice: ":") }
  }
}
