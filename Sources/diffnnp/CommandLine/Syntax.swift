/// What a verb accepts: written once, for parsing and for the help page.
struct Syntax {
  var name: String
  /// One line for the list of verbs.
  var summary: String
  /// Operands as the help page shows them: "MODEL FRAMES".
  var operands: String
  var operandCount: ClosedRange<Int>
  var options: [Option]
  /// Paragraphs of the help page, below the summary.
  var details = ""

  /// An option, with a value or without (a flag).
  struct Option {
    /// With its dashes: "--output".
    var name: String
    /// One letter: "-o".
    var short: String?
    /// What its value is called on the help page; nil for a flag.
    var value: String?
    var summary: String
    /// Whether it may be given more than once.
    var repeats = false
  }

  static let help = Option(name: "--help", short: "-h", summary: "Show this page.")

  var allOptions: [Option] { options + [Self.help] }

  /// The whole of `diffnnp <verb> --help`.
  var helpPage: String {
    var page = "Usage: diffnnp \(name) \(operands) [options]\n\n\(summary)\n"
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
  /// Followed by spaces up to a width.
  func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
