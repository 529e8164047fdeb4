/// The operands and options that a program or one of its verbs accepts: written once, for parsing and for the help
/// page.
public struct Syntax: Sendable {
  /// The program a verb belongs to; nil for a program without verbs.
  public var program: String?
  /// Name of the program, or of the verb.
  public var name: String
  /// What the verb does, in one line.
  public var summary: String
  /// Operands as the help page shows them: "MODEL FRAMES".
  public var operands: String
  /// Numbers of operands that are accepted.
  public var operandCount: ClosedRange<Int>
  /// The options, without --help.
  public var options: [Option]
  /// Paragraphs of the help page, below the summary.
  public var details: String

  /// The syntax of a verb, or of a program without verbs.
  public init(
    program: String? = "diffnnp", name: String, summary: String, operands: String, operandCount: ClosedRange<Int>,
    options: [Option], details: String = ""
  ) {
    self.program = program
    self.name = name
    self.summary = summary
    self.operands = operands
    self.operandCount = operandCount
    self.options = options
    self.details = details
  }

  /// An option, with a value or without (a flag).
  public struct Option: Sendable {
    /// Name with its dashes: "--output".
    public var name: String
    /// Short name of one letter: "-o".
    public var short: String?
    /// Name of the value on the help page; nil for a flag.
    public var value: String?
    /// What the option does, in one line.
    public var summary: String
    /// Whether it may be given more than once.
    public var repeats: Bool

    /// An option with its names and, unless it is a flag, the name of its value.
    public init(
      name: String, short: String? = nil, value: String? = nil, summary: String, repeats: Bool = false
    ) {
      self.name = name
      self.short = short
      self.value = value
      self.summary = summary
      self.repeats = repeats
    }
  }

  /// The option --help, which every syntax has.
  public static let help = Option(name: "--help", short: "-h", summary: "Show this page.")

  /// All options, --help included.
  public var allOptions: [Option] { options + [Self.help] }

  /// What is typed before operands and options: "diffnnp evaluate".
  public var invocation: String { [program, name].compactMap { $0 }.joined(separator: " ") }

  /// The text that --help shows.
  public var helpPage: String {
    var page = "Usage: \(operands.isEmpty ? invocation : "\(invocation) \(operands)") [options]\n\n\(summary)\n"
    if !details.isEmpty { page += "\n\(details)\n" }
    page += "\nOptions:\n"
    let heads = allOptions.map { option in
      [option.short, option.name].compactMap { $0 }.joined(separator: ", ") + (option.value.map { " " + $0 } ?? "")
    }
    let width = heads.map(\.count).max() ?? 0
    for (head, option) in zip(heads, allOptions) {
      page += "  \(head.padded(to: width))  \(option.summary)\n"
    }
    return page
  }
}

extension String {
  /// The text followed by spaces up to a width.
  public func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
