import DiffNNP

/// A value in a YAML document, with its file and line.
package struct YAMLNode {
  /// Kinds of values.
  package enum Value {
    /// Plain or quoted text, which is parsed as the type that is asked for.
    case scalar(String, isPlain: Bool)
    case list([YAMLNode])
    case mapping([Entry])
  }

  /// A key with its value.
  package struct Entry {
    package var key: String
    /// Position of the key, for errors: "train.yaml:3".
    package var location: String
    package var node: YAMLNode
  }

  package var value: Value
  /// Position of the value, for errors: "train.yaml:3".
  package var location: String

  /// Whether it is a plain scalar that YAML reads as null.
  package var isNull: Bool {
    guard case .scalar(let text, isPlain: true) = value else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(text)
  }

  /// Entries of a mapping; empty for null, and nil for all other values.
  package var mapping: [Entry]? {
    switch value {
    case .mapping(let entries): entries
    case _ where isNull: []
    default: nil
    }
  }

  /// Text: any scalar but null.
  package var text: String? {
    guard case .scalar(let text, _) = value, !isNull else { return nil }
    return text
  }

  /// A finite number.
  package var double: Double? {
    guard case .scalar(let text, isPlain: true) = value, let number = Double(text), number.isFinite else { return nil }
    return number
  }

  /// A whole number.
  package var int: Int? {
    guard case .scalar(let text, isPlain: true) = value else { return nil }
    return Int(text)
  }

  /// True or false, in the spellings of YAML 1.1 that are common.
  package var bool: Bool? {
    guard case .scalar(let text, isPlain: true) = value else { return nil }
    switch text {
    case "true", "True", "TRUE", "yes", "on": return true
    case "false", "False", "FALSE", "no", "off": return false
    default: return nil
    }
  }

  /// Elements of a list; a scalar is a list of one.
  package var list: [YAMLNode]? {
    switch value {
    case .list(let nodes): nodes
    case .scalar: isNull ? nil : [self]
    case .mapping: nil
    }
  }

  /// An error about the value, with its file and line.
  package func failure(_ message: String) -> DiffNNPError { DiffNNPError("\(location): \(message)") }
}

extension YAMLNode {
  /// Sets the value at a path of keys, and makes the mappings that lead there.
  /// - Parameters:
  ///   - assignment: "key.path=value", the value being YAML: `noise.sigma=[0.1, 0.2]`.
  ///   - source: where it was given, for errors: "--set".
  /// - Throws: where it is no such assignment, or leads through a value that is no mapping.
  package mutating func set(_ assignment: String, source: String) throws {
    let parts = assignment.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let keys = parts[0].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, !keys.contains("") else {
      throw DiffNNPError("\(source): expected KEY.PATH=VALUE, found \"\(assignment)\"")
    }
    let name = "\(source) \(parts[0])"
    var node = try YAMLNode(parsing: Array(parts[1].utf8), name: name)
    node.location = source
    try set(keys[...], to: node, name: name)
  }

  /// - Parameter name: what to call the assignment in errors.
  private mutating func set(_ keys: ArraySlice<String>, to node: YAMLNode, name: String) throws {
    guard let key = keys.first else {
      self = node
      return
    }
    guard var entries = mapping else { throw DiffNNPError("\(name): there is no \(key) in the value at \(location)") }
    let k = entries.firstIndex { $0.key == key } ?? entries.count
    if k == entries.count {
      let empty = YAMLNode(value: .mapping([]), location: node.location)
      entries.append(Entry(key: key, location: node.location, node: empty))
    }
    try entries[k].node.set(keys.dropFirst(), to: node, name: name)
    if keys.count == 1 { entries[k].location = node.location }
    value = .mapping(entries)
  }
}
