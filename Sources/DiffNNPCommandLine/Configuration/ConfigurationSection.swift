import DiffNNP

/// A mapping of a configuration file, read key by key. Reading a key makes it known; `finish` refuses all others, so
/// that no misspelled key is ignored:
///
///     let pair = try root.section("pair")
///     let cutoff = try pair.double("r_max")
///     let spacing = try pair.double("spacing") ?? 0.1
///     try pair.finish()
package final class ConfigurationSection {
  private let entries: [YAMLNode.Entry]
  private let location: String
  /// Keys that lead to this section, for errors: "pair.".
  private let prefix: String
  private var known: [String] = []

  /// - Throws: where the node is not a mapping.
  package init(_ node: YAMLNode, path: String = "") throws {
    guard let entries = node.mapping else {
      throw node.failure(path.isEmpty ? "expected keys and values" : "\(path) must be a mapping of keys and values")
    }
    self.entries = entries
    location = node.location
    prefix = path.isEmpty ? "" : path + "."
  }

  /// The value of a key; nil where it is absent or null.
  package func node(_ key: String) -> YAMLNode? {
    if !known.contains(key) { known.append(key) }
    guard let node = entries.first(where: { $0.key == key })?.node, !node.isNull else { return nil }
    return node
  }

  /// Whether a key is present, whatever its value; it does not become known.
  func has(_ key: String) -> Bool { entries.contains { $0.key == key } }

  /// A number; nil where the key is absent.
  package func double(_ key: String) throws -> Double? { try get(key, "a number", \.double) }

  /// A whole number; nil where the key is absent.
  package func int(_ key: String) throws -> Int? { try get(key, "a whole number", \.int) }

  /// True or false; nil where the key is absent.
  package func bool(_ key: String) throws -> Bool? { try get(key, "true or false", \.bool) }

  /// Text; nil where the key is absent.
  package func text(_ key: String) throws -> String? { try get(key, "text", \.text) }

  /// A list of numbers, or one number.
  package func doubles(_ key: String) throws -> [Double]? { try list(key, "numbers", \.double) }

  /// A list of whole numbers, or one.
  package func ints(_ key: String) throws -> [Int]? { try list(key, "whole numbers", \.int) }

  /// A list of texts, or one text.
  package func texts(_ key: String) throws -> [String]? { try list(key, "texts", \.text) }

  /// One of the raw values of an enumeration.
  package func choice<T: RawRepresentable & CaseIterable>(_ key: String, _ type: T.Type) throws -> T?
  where T.RawValue == String {
    guard let text = try text(key) else { return nil }
    let names = T.allCases.map(\.rawValue)
    guard let value = T(rawValue: text) else {
      throw failure(key, "is \"\(text)\"\(didYouMean(text, of: names)); expected \(names.joined(separator: ", "))")
    }
    return value
  }

  /// The section of a key; an empty one where it is absent.
  package func section(_ key: String) throws -> ConfigurationSection {
    try ConfigurationSection(node(key) ?? .empty(location: location), path: prefix + key)
  }

  /// An error about a key, with its file and line.
  package func failure(_ key: String, _ message: String) -> DiffNNPError {
    DiffNNPError("\(location(of: key)): \(prefix)\(key) \(message)")
  }

  /// File and line of a key; those of the section for one that is absent.
  package func location(of key: String) -> String { entries.first { $0.key == key }?.location ?? location }

  /// - Throws: where the section has keys that were not read.
  package func finish() throws {
    guard let unknown = entries.first(where: { !known.contains($0.key) }) else { return }
    let hint = didYouMean(unknown.key, of: known)
    let choices = hint.isEmpty ? "; known keys here: \(known.joined(separator: ", "))" : ""
    throw DiffNNPError("\(unknown.location): unknown key \(prefix)\(unknown.key)\(hint)\(choices)")
  }

  private func get<T>(_ key: String, _ expected: String, _ cast: (YAMLNode) -> T?) throws -> T? {
    guard let node = node(key) else { return nil }
    guard let value = cast(node) else {
      throw failure(key, "is \(node.text.map { "\"\($0)\"" } ?? "a list or mapping"); expected \(expected)")
    }
    return value
  }

  private func list<T>(_ key: String, _ expected: String, _ cast: (YAMLNode) -> T?) throws -> [T]? {
    guard let node = node(key) else { return nil }
    guard let nodes = node.list else { throw failure(key, "is a mapping; expected a list of \(expected)") }
    return try nodes.map {
      guard let value = cast($0) else {
        throw DiffNNPError(
          "\($0.location): \(prefix)\(key) has an element \($0.text.map { "\"\($0)\"" } ?? "that is no scalar"); "
            + "expected \(expected)")
      }
      return value
    }
  }
}
