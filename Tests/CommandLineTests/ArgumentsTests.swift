import Testing

@testable import DiffNNPCommandLine

@Suite struct ArgumentsTests {
  static let syntax = Syntax(
    name: "test", summary: "", operands: "A B…", operandCount: 1...9,
    options: [
      .init(name: "--output", short: "-o", value: "FILE", summary: ""), .init(name: "--json", summary: ""),
      .init(name: "--set", value: "KEY=VALUE", summary: "", repeats: true),
    ])

  @Test func splits() throws {
    let words = ["a", "-o", "x=y", "--json", "--set=k=v", "b", "--set", "-3", "-", "--", "--json"]
    let arguments = try Arguments(words, Self.syntax)
    #expect(arguments.operands == ["a", "b", "-", "--json"])
    #expect(arguments.text("--output") == "x=y")
    #expect(arguments.flag("--json"))
    #expect(arguments.all("--set") == ["k=v", "-3"])
    #expect(arguments.all("--output") == ["x=y"])
  }

  @Test func convertsValues() throws {
    func arguments(_ value: String) throws -> Arguments { try Arguments(["a", "-o", value], Self.syntax) }
    #expect(try arguments("2.5").number("--output") == 2.5)
    #expect(try arguments("25").integer("--output") == 25)
    #expect(try arguments("a,b").list("--output") == ["a", "b"])
    #expect(try arguments("a").number("--json") == nil)
    #expect(throws: UsageError.self) { try arguments("nan").number("--output") }
    #expect(throws: UsageError.self) { try arguments("2.5").integer("--output") }
  }

  @Test(arguments: [
    ("kitten", "sitting", 3), ("", "abc", 3), ("sigma", "sigam", 1), ("same", "same", 0), ("a", "", 1), ("", "", 0),
  ])
  func measuresDistances(_ a: String, _ b: String, _ expected: Int) {
    #expect(editDistance(a, b) == expected)
    #expect(editDistance(b, a) == expected)
  }

  @Test func hintsAtNearNamesOnly() {
    #expect(didYouMean("temprature", of: ["sigma", "temperature"]) == " (did you mean temperature?)")
    #expect(didYouMean("temprature", of: ["sigma"]) == "")
    #expect(didYouMean("x", of: []) == "")
  }

  @Test func progressTellsTimeLeft() {
    let bar = ProgressBar("training", total: 200)
    bar.update(50, note: "loss -1")
    #expect(bar.line(elapsed: 30).hasSuffix("25% (50/200)  loss -1  ETA 1:30"))
    #expect(ProgressBar.duration(3725) == "1:02:05")
    #expect(ProgressBar.duration(.infinity) == "27777:46:40")
  }
}
