/// A JSON value (RFC 8259). Objects keep the order of their keys, so that what is written is reproducible.
public enum JSONValue: Equatable, Sendable {
  /// The literal `null`.
  case null
  /// The literals `true` and `false`.
  case bool(Bool)
  /// A number, as the nearest double.
  case number(Double)
  /// A string, without escapes.
  case string(String)
  /// A list of values in their order.
  case array([JSONValue])
  /// Keys with their values, in the order in which they were written.
  case object([Member])

  /// A key of an object with its value.
  public struct Member: Equatable, Sendable {
    /// The key, unique within its object.
    public var key: String
    /// The value of the key.
    public var value: JSONValue

    /// A key with its value.
    public init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  /// The value of a key; nil where this is no object, or has no such key.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  /// The truth value; nil where this is no boolean.
  public var bool: Bool? {
    guard case .bool(let value) = self else { return nil }
    return value
  }

  /// The number; nil where this is no number.
  public var double: Double? {
    guard case .number(let value) = self else { return nil }
    return value
  }

  /// A number without fraction, within the range where each has a double of its own.
  public var int: Int? {
    guard case .number(let value) = self, abs(value) <= 0x1p53 else { return nil }
    return Int(exactly: value)
  }

  /// The string; nil where this is no string.
  public var string: String? {
    guard case .string(let value) = self else { return nil }
    return value
  }

  /// The elements; nil where this is no array.
  public var array: [JSONValue]? {
    guard case .array(let value) = self else { return nil }
    return value
  }

  /// The members in their order; nil where this is no object.
  public var object: [Member]? {
    guard case .object(let value) = self else { return nil }
    return value
  }

  /// All elements as numbers; nil where this is not an array of numbers alone.
  public var doubles: [Double]? { elements(\.double) }

  /// All elements as strings; nil where this is not an array of strings alone.
  public var strings: [String]? { elements(\.string) }

  private func elements<T>(_ cast: (JSONValue) -> T?) -> [T]? {
    guard let array else { return nil }
    let values = array.compactMap(cast)
    return values.count == array.count ? values : nil
  }
}

extension JSONValue: ExpressibleByBooleanLiteral, ExpressibleByStringLiteral, ExpressibleByFloatLiteral,
  ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(stringLiteral value: String) { self = .string(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(integerLiteral value: Int) { self = .number(Double(value)) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(elements.map { Member($0, $1) }) }
  public init(nilLiteral: ()) { self = .null }

  /// A number from an integer, exact up to ±2⁵³.
  public init(_ value: Int) { self = .number(Double(value)) }
  /// An array of numbers.
  public init(_ values: [Double]) { self = .array(values.map { .number($0) }) }
  /// An array of strings.
  public init(_ values: [String]) { self = .array(values.map { .string($0) }) }
}
