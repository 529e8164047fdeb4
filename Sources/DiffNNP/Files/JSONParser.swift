extension JSONValue {
  /// Parses JSON text. Nesting is limited to 64 levels, and a key may stand in an object once.
  /// - Throws: where the text is not JSON, with the position of the fault in bytes.
  public init(parsing text: some Collection<UInt8>) throws {
    var parser = JSONParser(bytes: ContiguousArray(text))
    self = try parser.parseDocument()
  }

  /// Parses JSON text given as a string, by the same rules as `init(parsing:)` for bytes.
  /// - Throws: where the text is not JSON, with the position of the fault in bytes.
  public init(parsing text: String) throws { try self.init(parsing: Array(text.utf8)) }
}

/// A recursive descent over the bytes of a JSON text.
private struct JSONParser {
  private let bytes: ContiguousArray<UInt8>
  private var position = 0
  private static let deepest = 64

  init(bytes: ContiguousArray<UInt8>) { self.bytes = bytes }

  mutating func parseDocument() throws -> JSONValue {
    let value = try parseValue(depth: 0)
    skipSpace()
    guard position == bytes.count else { throw failure("text after the value") }
    return value
  }

  private func failure(_ reason: String) -> DiffNNPError {
    DiffNNPError("not valid JSON at byte \(position): \(reason)")
  }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard current == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func parseValue(depth: Int) throws -> JSONValue {
    guard depth <= Self.deepest else { throw failure("nested deeper than \(Self.deepest) levels") }
    skipSpace()
    switch current {
    case nil: throw failure("the text ends where a value is expected")
    case UInt8(ascii: "{"): return try parseObject(depth: depth)
    case UInt8(ascii: "["): return try parseArray(depth: depth)
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
    case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
    case UInt8(ascii: "n"): return try parseWord("null", .null)
    default: return .number(try parseNumber())
    }
  }

  private mutating func parseWord(_ word: StaticString, _ value: JSONValue) throws -> JSONValue {
    let end = position + word.utf8CodeUnitCount
    let matches = end <= bytes.count && word.withUTF8Buffer { $0.elementsEqual(bytes[position..<end]) }
    guard matches else { throw failure("expected \(word)") }
    position = end
    return value
  }

  private mutating func parseArray(depth: Int) throws -> JSONValue {
    position += 1
    var values: [JSONValue] = []
    if take("]") { return .array(values) }
    repeat { values.append(try parseValue(depth: depth + 1)) } while take(",")
    guard take("]") else { throw failure("expected , or ]") }
    return .array(values)
  }

  private mutating func parseObject(depth: Int) throws -> JSONValue {
    position += 1
    var members: [JSONValue.Member] = []
    var keys: Set<String> = []
    if take("}") { return .object(members) }
    repeat {
      skipSpace()
      guard current == UInt8(ascii: "\"") else { throw failure("expected a key in quotes") }
      let key = try parseString()
      guard keys.insert(key).inserted else { throw failure("key \"\(key)\" stands here twice") }
      guard take(":") else { throw failure("expected : after the key") }
      members.append(.init(key, try parseValue(depth: depth + 1)))
    } while take(",")
    guard take("}") else { throw failure("expected , or }") }
    return .object(members)
  }

  private mutating func parseNumber() throws -> Double {
    let start = position
    func isDigit(_ byte: UInt8?) -> Bool { byte.map { 0x30...0x39 ~= $0 } ?? false }
    func skipDigits(_ position: inout Int) -> Bool {
      let first = position
      while position < bytes.count, isDigit(bytes[position]) { position += 1 }
      return position > first
    }
    if current == UInt8(ascii: "-") { position += 1 }
    let leadingZero = current == UInt8(ascii: "0")
    let wholeStart = position
    guard skipDigits(&position), !leadingZero || position == wholeStart + 1 else { throw failure("expected a value") }
    if current == UInt8(ascii: ".") {
      position += 1
      guard skipDigits(&position) else { throw failure("expected digits after the point") }
    }
    if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
      position += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
      guard skipDigits(&position) else { throw failure("expected digits of an exponent") }
    }
    guard let value = Double(String(decoding: bytes[start..<position], as: UTF8.self)), value.isFinite else {
      throw failure("the number before it is too large")
    }
    return value
  }

  private mutating func parseString() throws -> String {
    position += 1
    var text: [UInt8] = []
    while let byte = current {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else { throw failure("the text is not UTF-8") }
        return string
      case UInt8(ascii: "\\"): text += UTF8.encode(try parseEscape())!
      case 0..<0x20: throw failure("a control character in a string")
      default: text.append(byte)
      }
    }
    throw failure("the text ends within a string")
  }

  /// The character that an escape stands for, from behind its backslash.
  private mutating func parseEscape() throws -> Unicode.Scalar {
    guard let byte = current else { throw failure("the text ends within a string") }
    position += 1
    switch Unicode.Scalar(byte) {
    case "\"", "\\", "/": return Unicode.Scalar(byte)
    case "b": return "\u{8}"
    case "f": return "\u{c}"
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "u":
      var code = try parseHexadecimal()
      // Beyond the basic plane, characters come as two escapes.
      if 0xd800..<0xdc00 ~= code, bytes[position...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) {
        position += 2
        let low = try parseHexadecimal()
        guard 0xdc00..<0xe000 ~= low else { throw failure("half a surrogate pair") }
        code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw failure("half a surrogate pair") }
      return scalar
    default: throw failure("unknown escape")
    }
  }

  private mutating func parseHexadecimal() throws -> UInt32 {
    guard bytes.count - position >= 4 else { throw failure("the text ends within an escape") }
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue, bytes[position] < 0x80 else {
        throw failure("expected four hexadecimal digits")
      }
      value = value << 4 + UInt32(digit)
      position += 1
    }
    return value
  }
}
