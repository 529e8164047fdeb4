import CYaml
import DiffNNP

extension YAMLNode {
  /// An empty mapping.
  package static func empty(location: String) -> YAMLNode { YAMLNode(value: .mapping([]), location: location) }

  /// Reads a file with one YAML document.
  package static func load(path: String) throws -> YAMLNode { try YAMLNode(parsing: FileIO.read(path), name: path) }

  /// - Parameter name: what to call the text in errors.
  /// - Throws: where it is not one YAML document, uses anchors, has a key twice, or is nested deeper than 32 levels.
  package init(parsing bytes: [UInt8], name: String) throws {
    let parser = YAMLParser(name: name)
    self = try bytes.withUnsafeBufferPointer { try parser.parse($0) }
  }
}

/// Builds nodes from the events of libyaml.
private final class YAMLParser {
  private var parser = yaml_parser_t()
  private var event = yaml_event_t()
  private let name: String
  private static let deepest = 32

  init(name: String) { self.name = name }

  func parse(_ bytes: UnsafeBufferPointer<UInt8>) throws -> YAMLNode {
    guard yaml_parser_initialize(&parser) == 1 else { throw DiffNNPError("\(name): libyaml could not be started") }
    defer {
      yaml_event_delete(&event)
      yaml_parser_delete(&parser)
    }
    yaml_parser_set_input_string(&parser, bytes.baseAddress, bytes.count)
    try advance()  // to the start of the stream
    try advance()  // to the start of the document
    guard event.type == YAML_DOCUMENT_START_EVENT else { return .empty(location: name) }
    try advance()
    let node = try parseNode(depth: 0)
    try advance()  // to the end of the document
    try advance()
    guard event.type == YAML_STREAM_END_EVENT else { throw failure("a second document; expected one") }
    return node
  }

  private var location: String { "\(name):\(event.start_mark.line + 1)" }

  private func failure(_ message: String) -> DiffNNPError { DiffNNPError("\(location): \(message)") }

  private func advance() throws {
    yaml_event_delete(&event)
    guard yaml_parser_parse(&parser, &event) == 1 else {
      let problem = parser.problem.map { String(cString: $0) } ?? "it cannot be read"
      throw DiffNNPError("\(name):\(parser.problem_mark.line + 1): not valid YAML: \(problem)")
    }
  }

  /// The node that begins with the current event; leaves its last event current.
  private func parseNode(depth: Int) throws -> YAMLNode {
    guard depth <= Self.deepest else { throw failure("nested deeper than \(Self.deepest) levels") }
    let location = location
    switch event.type {
    case YAML_SCALAR_EVENT:
      try refuseAnchor(event.data.scalar.anchor)
      let (text, isPlain) = scalar()
      return YAMLNode(value: .scalar(text, isPlain: isPlain), location: location)
    case YAML_SEQUENCE_START_EVENT:
      try refuseAnchor(event.data.sequence_start.anchor)
      var nodes: [YAMLNode] = []
      try advance()
      while event.type != YAML_SEQUENCE_END_EVENT {
        nodes.append(try parseNode(depth: depth + 1))
        try advance()
      }
      return YAMLNode(value: .list(nodes), location: location)
    case YAML_MAPPING_START_EVENT:
      try refuseAnchor(event.data.mapping_start.anchor)
      return YAMLNode(value: .mapping(try parseEntries(depth: depth)), location: location)
    default:
      throw failure("aliases (*name) are not supported; write the value out")
    }
  }

  private func parseEntries(depth: Int) throws -> [YAMLNode.Entry] {
    var entries: [YAMLNode.Entry] = []
    try advance()
    while event.type != YAML_MAPPING_END_EVENT {
      guard event.type == YAML_SCALAR_EVENT else { throw failure("a key must be plain text") }
      let (key, location) = (scalar().text, location)
      if let first = entries.first(where: { $0.key == key }) {
        throw failure("key \(key) stands here twice; first at \(first.location)")
      }
      try advance()
      entries.append(.init(key: key, location: location, node: try parseNode(depth: depth + 1)))
      try advance()
    }
    return entries
  }

  private func refuseAnchor(_ anchor: UnsafeMutablePointer<yaml_char_t>?) throws {
    if anchor != nil { throw failure("anchors (&name) are not supported; write the value out") }
  }

  private func scalar() -> (text: String, isPlain: Bool) {
    let scalar = event.data.scalar
    let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
    return (String(decoding: bytes, as: UTF8.self), scalar.style == YAML_PLAIN_SCALAR_STYLE)
  }
}
