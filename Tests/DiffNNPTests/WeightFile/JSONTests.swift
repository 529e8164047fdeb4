import Testing

@testable import DiffNNP

@Suite struct JSONTests {
  @Test func parsesEveryKindOfValue() throws {
    let text = #" {"a": [1, -2.5e-3, 0, true, false, null], "b": {}, "c": "x\n\"\u00e9\ud83d\ude00\\", "d": []} "#
    let expected: JSONValue = [
      "a": [1, -2.5e-3, 0, true, false, nil], "b": [:], "c": "x\n\"é😀\\", "d": [],
    ]
    #expect(try JSONValue(parsing: text) == expected)
  }

  @Test func roundTrips() throws {
    let value: JSONValue = [
      "numbers": .init([0.1, 1e300, -.leastNonzeroMagnitude, 1 / 3, 0x1p53, -0.0]), "text": "\u{0}\u{7f}\t/é😀\"\\",
      "nested": [[], [:], ["k": [nil, true]]],
    ]
    #expect(try JSONValue(parsing: value.serialised()) == value)
    #expect(try JSONValue(parsing: value.serialised(pretty: true)) == value)
    #expect(JSONValue([1, 2]).serialised() == "[1, 2]")
    #expect(JSONValue.number(.nan).serialised() == "null")
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "[1 2]", "01", "1.", ".5", "+1", "1e", "--1", "nul", "NaN",
    "1e999", "\"a", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\u{1}\"", "1 2",
    "{\"a\":1,\"a\":2}",
  ])
  func refusesWhatIsNotJSON(_ text: String) {
    #expect(throws: DiffNNPError.self) { try JSONValue(parsing: text) }
  }

  @Test func refusesBytesThatAreNotText() {
    #expect(throws: DiffNNPError.self) { try JSONValue(parsing: [0x22, 0xff, 0x22]) }
  }

  @Test func limitsNesting() throws {
    let deep = { (n: Int) in String(repeating: "[", count: n) + String(repeating: "]", count: n) }
    _ = try JSONValue(parsing: deep(60))
    #expect(throws: DiffNNPError.self) { try JSONValue(parsing: deep(100_000)) }
    #expect(throws: DiffNNPError.self) { try JSONValue(parsing: String(repeating: "{\"a\":", count: 100_000)) }
  }

  @Test func castsOnlyWhatFits() {
    #expect(JSONValue.number(3).int == 3)
    #expect(JSONValue.number(3.5).int == nil)
    #expect(JSONValue.number(1e300).int == nil)
    #expect(JSONValue([1, 2.5]).doubles == [1, 2.5])
    #expect(JSONValue.array([1, "a"]).doubles == nil)
    #expect(JSONValue(["a"]).strings == ["a"])
    #expect((["a": 1] as JSONValue)["b"] == nil)
    #expect((["a": 1] as JSONValue)["a"]?.double == 1)
  }
}
