/// The arguments of a program or verb, split into operands and options as its syntax says.
public struct Arguments {
  /// Operands, in the order given.
  public private(set) var operands: [String] = []
  /// Values of each option in the order given; flags have an empty one.
  private var values: [String: [String]] = [:]

  /// Splits words by a syntax. Options may stand anywhere, as `--name value`, `--name=value` or `-n value`; all words
  /// after `--` are operands.
  /// - Throws: `UsageError` for unknown options, missing or surplus values, and the wrong number of operands.
  public init(_ words: [String], _ syntax: Syntax) throws {
    var remaining = words[...]
    while let word = remaining.popFirst() {
      if word == "--" {
        operands += remaining
        break
      } else if word.hasPrefix("-"), word.count > 1 {
        try addOption(word, &remaining, syntax)
      } else {
        operands.append(word)
      }
    }
    guard flag("--help") || syntax.operandCount.contains(operands.count) else {
      throw UsageError(
        "\(syntax.name) expects \(syntax.operands.isEmpty ? "no operands" : syntax.operands), found \(operands.isEmpty ? "nothing" : operands.joined(separator: " "))"
          + "; see \(syntax.invocation) --help")
    }
  }

  private mutating func addOption(_ word: String, _ remaining: inout ArraySlice<String>, _ syntax: Syntax) throws {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard let option = syntax.allOptions.first(where: { $0.name == parts[0] || $0.short == parts[0] }) else {
      let known = syntax.allOptions.map(\.name)
      throw UsageError(
        "\(syntax.name) has no option \(parts[0])\(didYouMean(parts[0], of: known)); see \(syntax.invocation) --help")
    }
    var value = parts.count == 2 ? parts[1] : nil
    if let name = option.value {
      if value == nil, let next = remaining.first, !next.hasPrefix("--") { value = remaining.popFirst() }
      guard value != nil else { throw UsageError("\(option.name) needs a value, \(name)") }
    } else if value != nil {
      throw UsageError("\(option.name) takes no value")
    }
    guard values[option.name] == nil || option.repeats else { throw UsageError("\(option.name) is given twice") }
    values[option.name, default: []].append(value ?? "")
  }

  /// Whether an option is given.
  public func flag(_ name: String) -> Bool { values[name] != nil }

  /// The last value of an option; nil where it is not given.
  public func text(_ name: String) -> String? { values[name]?.last }

  /// All values of an option that may be repeated, in the order given.
  public func all(_ name: String) -> [String] { values[name] ?? [] }

  /// The values of an option that are separated by commas; nil where it is not given.
  public func list(_ name: String) -> [String]? {
    text(name)?.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
  }

  /// The value of an option as a finite number; nil where it is not given.
  /// - Throws: `UsageError` where the value is none.
  public func number(_ name: String) throws -> Double? {
    try parse(name, "a number") { Double($0).flatMap { $0.isFinite ? $0 : nil } }
  }

  /// The value of an option as a whole number; nil where it is not given.
  /// - Throws: `UsageError` where the value is none.
  public func integer(_ name: String) throws -> Int? { try parse(name, "a whole number") { Int($0) } }

  /// The value of an option as a whole number above zero, such as a count or a seed; nil where it is not given.
  /// - Throws: `UsageError` where the value is none.
  public func positive(_ name: String) throws -> Int? {
    try parse(name, "a whole number above 0") { Int($0).flatMap { $0 > 0 ? $0 : nil } }
  }

  /// The value of an option as finite numbers separated by commas; nil where it is not given.
  /// - Throws: `UsageError` where a value is none.
  public func numbers(_ name: String) throws -> [Double]? {
    try parse(name, "numbers separated by commas") { text in
      let words = text.split(separator: ",", omittingEmptySubsequences: false)
      let values = words.compactMap { Double($0) }.filter(\.isFinite)
      return values.count == words.count ? values : nil
    }
  }

  /// The value of an option as one of the raw values of an enumeration; nil where it is not given.
  /// - Throws: `UsageError` where the value is none of them.
  public func choice<T: RawRepresentable & CaseIterable>(_ name: String, _ type: T.Type) throws -> T?
  where T.RawValue == String {
    try parse(name, T.allCases.map(\.rawValue).joined(separator: " or ")) { T(rawValue: $0) }
  }

  private func parse<T>(_ name: String, _ expected: String, _ cast: (String) -> T?) throws -> T? {
    guard let text = text(name) else { return nil }
    guard let value = cast(text) else { throw UsageError("\(name) is \"\(text)\"; expected \(expected)") }
    return value
  }
}
