extension JSONValue {
  /// JSON text that parses to the same value: in one line, or one member a line where `pretty`. Numbers JSON cannot
  /// express (infinities, NaN) become null.
  public func serialised(pretty: Bool = false) -> String {
    var text = ""
    write(to: &text, indentation: pretty ? 0 : nil)
    return text
  }

  private func write(to text: inout String, indentation: Int?) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .number(let value): Self.write(value, to: &text)
    case .string(let value): Self.write(value, to: &text)
    case .array(let values):
      // Arrays of plain values read best in one line.
      let nested = values.contains { $0.array != nil || $0.object != nil }
      Self.write(values, brackets: ("[", "]"), to: &text, indentation: nested ? indentation : nil) {
        $0.write(to: &$1, indentation: $2)
      }
    case .object(let members):
      Self.write(members, brackets: ("{", "}"), to: &text, indentation: indentation) {
        Self.write($0.key, to: &$1)
        $1 += ": "
        $0.value.write(to: &$1, indentation: $2)
      }
    }
  }

  private static func write<Item>(
    _ items: [Item], brackets: (String, String), to text: inout String, indentation: Int?,
    _ writeItem: (Item, inout String, Int?) -> Void
  ) {
    let inner = indentation.map { $0 + 2 }
    text += brackets.0
    for (i, item) in items.enumerated() {
      if i > 0 { text += inner == nil ? ", " : "," }
      if let inner { text += "\n" + String(repeating: " ", count: inner) }
      writeItem(item, &text, inner)
    }
    if let indentation, !items.isEmpty { text += "\n" + String(repeating: " ", count: indentation) }
    text += brackets.1
  }

  private static func write(_ number: Double, to text: inout String) {
    if !number.isFinite {
      text += "null"
    } else if let whole = Int(exactly: number), abs(whole) < 1 << 53, !(whole == 0 && number.sign == .minus) {
      text += String(whole)
    } else {
      text += number.description  // the shortest that reads back as the same number
    }
  }

  private static func write(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\0"..<" ", "\u{7f}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
