import DiffNNP

/// Extended XYZ, as ASE and libAtoms write it (<https://github.com/libAtoms/extxyz>): the number of atoms, a line of
/// `key=value` with `Lattice`, `Properties` and `pbc`, and a line for each atom with the columns `Properties` lists.
struct ExtendedXYZReader: FrameReader {
  private let lines: LineReader
  private let typeNames: [String]?
  private let forcesName: String?
  private var species: SpeciesTable
  private var agreement = SpeciesAgreement()
  private var hasAtomicNumbers = false
  private var frame = -1
  private var firstLine = 0
  private(set) var units = FileUnits()
  private(set) var time: FrameTime?
  private(set) var likelyForces: [String] = []

  init(path: String, _ selection: TrajectorySelection) throws {
    lines = try LineReader(path: path)
    (typeNames, forcesName) = (selection.typeNames, selection.forcesName)
    species = SpeciesTable(selection.typeNames ?? [])
  }

  var speciesNames: [String] { species.names }

  var location: String { "\(lines.path):\(firstLine): frame \(frame)" }

  var remarks: [String] {
    guard hasAtomicNumbers else { return [] }
    return [
      "numbers in the column of species are taken for atomic numbers (\(species.names.joined(separator: " "))); "
        + "where they are types 1, 2, …, name these with --types"
    ]
  }

  mutating func skipFrame() throws -> Bool {
    guard let count = try readCount() else { return false }
    guard try lines.skip(count + 1) else { throw truncated() }
    return true
  }

  mutating func readFrame() throws -> Frame? {
    guard let count = try readCount() else { return nil }
    guard try lines.advanceToWhole() else { throw truncated() }
    let header = try Header(lines, forcesName: forcesName)
    (units, time) = (header.units, header.time)
    let columns = header.columns
    if columns.forces == nil { likelyForces = columns.likelyForces }
    var positions: [SIMD3<Double>] = []
    var types: [Int] = []
    var forces: [SIMD3<Double>] = []
    for _ in 0..<count {
      guard try lines.advanceToWhole() else { throw truncated() }
      lines.split()
      guard lines.fields.count >= columns.count else {
        throw lines.failure(
          "an atom's line with \(lines.fields.count) columns, expected \(columns.count); "
            + "frame \(frame) has \(positions.count) of \(count) atoms before it")
      }
      types.append(try type(columns))
      positions.append(try lines.vector(columns.positions))
      if let column = columns.forces { forces.append(try lines.vector(column)) }
    }
    return Frame(
      cell: header.cell, positions: positions, types: types, forces: columns.forces == nil ? nil : forces)
  }

  // MARK: Species

  private mutating func type(_ columns: Columns) throws -> Int {
    guard let k = columns.symbol else { return try type(atomicNumber: columns.atomicNumber!) }
    let type = try type(symbol: k)
    // Atomic number 0 is of all that is no element.
    guard let z = try columns.atomicNumber.map(lines.integer), z != 0 else { return type }
    let advice = "leave out of Properties the one that is wrong"
    if let conflict = agreement.add(type, z) {
      throw lines.failure("\(conflict.text(("species", "Z"), (speciesNames, nil))); \(advice)")
    }
    let name = speciesNames[type]
    if let symbol = Element.symbol(z), symbol != name, Element.symbols.contains(name) {
      throw lines.failure("species says \(name) where Z is \(z), \(symbol); \(advice)")
    }
    return type
  }

  private mutating func type(symbol k: Int) throws -> Int {
    let field = lines.field(k)
    if let first = field.first, 0x30...0x39 ~= first, let number = Int(lines.fieldText(k)) {
      guard let typeNames else {
        hasAtomicNumbers = true
        return try type(atomicNumber: k, "; where these numbers are types 1, 2, …, name them with --types")
      }
      guard typeNames.indices.contains(number - 1) else {
        throw lines.failure(
          "type \(number) has no name: \(typeNames.count) are given (\(typeNames.joined(separator: " "))); "
            + "where these numbers are atomic numbers, leave out the names of types")
      }
      return number - 1
    }
    let type = species.index(of: field)
    if let typeNames, type >= typeNames.count { throw Self.stranger(lines, speciesNames[type], typeNames) }
    return type
  }

  private mutating func type(atomicNumber k: Int, _ advice: String = "") throws -> Int {
    guard let symbol = Element.symbol(try lines.integer(k)) else {
      throw lines.failure("\(lines.fieldText(k)) is no element's atomic number\(advice)")
    }
    let type = species.index(of: symbol)
    if let typeNames, type >= typeNames.count { throw Self.stranger(lines, symbol, typeNames) }
    return type
  }

  private static func stranger(_ lines: LineReader, _ name: String, _ given: [String]) -> DiffNNPError {
    lines.failure(
      "the file names its species itself, and \(name) is none of the names of types given "
        + "(\(given.joined(separator: " "))); leave out the names of types")
  }

  // MARK: Lines

  /// The number of atoms that begins a frame; nil at the end of the file.
  private mutating func readCount() throws -> Int? {
    repeat {
      guard try lines.advance() else { return nil }
      lines.split()
    } while lines.fields.isEmpty
    frame += 1
    firstLine = lines.lineNumber
    guard lines.fields.count == 1, let count = Int(lines.fieldText(0)), 0...Int(Int32.max) ~= count else {
      throw lines.failure("expected the number of atoms of frame \(frame), found \"\(lines.text.prefix(40))\"")
    }
    return count
  }

  private func truncated() -> DiffNNPError {
    lines.failure("the file ends within frame \(frame), which begins in line \(firstLine); remove it or write it again")
  }

  /// Where an atom's line has what.
  private struct Columns {
    var symbol: Int?
    var atomicNumber: Int?
    var positions: Int
    var forces: Int?
    /// Names of columns that may be forces.
    var likelyForces: [String] = []
    var count = 0

    /// - Parameter properties: name:kind:number of columns:…
    init(_ properties: String, forcesName: String?, _ lines: LineReader) throws {
      let parts = properties.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      guard parts.count % 3 == 0 else { throw lines.failure("Properties must be name:kind:columns, …") }
      var positions: Int?
      for k in stride(from: 0, to: parts.count, by: 3) {
        guard let width = Int(parts[k + 2]), 1...1000 ~= width else {
          throw lines.failure("Properties give \(parts[k]) \(parts[k + 2]) columns")
        }
        let name = parts[k].lowercased()
        switch (name, parts[k + 1].uppercased(), width) {
        case ("species", "S", 1), ("species", "I", 1), ("symbols", "S", 1), ("element", "S", 1): symbol = count
        case ("z", "I", 1), ("numbers", "I", 1): atomicNumber = count
        case ("pos", "R", 3), ("positions", "R", 3): positions = count
        case (_, "R", 3):
          if parts[k] == forcesName || (forcesName == nil && ["forces", "force"].contains(name)) {
            forces = count
          } else if name.contains("force") {
            likelyForces.append(parts[k])
          }
        default: break
        }
        count += width
      }
      guard symbol != nil || atomicNumber != nil, let positions else {
        throw lines.failure("Properties must have species:S:1 (or Z:I:1) and pos:R:3; found \(properties)")
      }
      self.positions = positions
      guard forcesName == nil || forces != nil else {
        throw lines.failure("there are no forces \(forcesName ?? ""):R:3 in Properties; found \(properties)")
      }
    }
  }

  /// What the second line of a frame says.
  private struct Header {
    var cell: Cell
    var columns: Columns
    var units = FileUnits()
    var time: FrameTime?

    private static let timeKeys = ["step", "timestep", "time", "time_ps", "time_fs"]

    init(_ lines: LineReader, forcesName: String?) throws {
      let values = try Self.keyValues(lines)
      func value(_ key: String) -> String? {
        (values.first { $0.key == key } ?? values.first { $0.key.lowercased() == key.lowercased() })?.value
      }
      guard let lattice = value("Lattice") else {
        throw lines.failure(
          "the frame has no cell; give it as Lattice=\"ax ay az bx by bz cx cy cz\" in this line (extended XYZ)")
      }
      let numbers = Self.elements(lattice).map { Double($0) }
      guard numbers.count == 9, let n = numbers as? [Double] else {
        throw lines.failure("Lattice must be nine numbers, found \"\(lattice)\"")
      }
      let periodic = try Self.periodicity(value("pbc") ?? "T T T", lines)
      do {
        cell = try Cell(vectors: [[n[0], n[1], n[2]], [n[3], n[4], n[5]], [n[6], n[7], n[8]]], periodic: periodic)
      } catch let error as DiffNNPError {
        throw lines.failure(error.message)
      }
      columns = try Columns(value("Properties") ?? "species:S:1:pos:R:3", forcesName: forcesName, lines)
      // The units of all quantities come first, so that those of a single quantity replace them.
      for (key, value) in values.filter({ $0.key.lowercased() == "units" }) + values {
        guard units.note(key: key, value) == false else { continue }
        throw lines.failure("\(key)=\"\(value)\" is no unit; \(FileUnits.knownNames)")
      }
      for key in Self.timeKeys where time == nil {
        guard let number = value(key).flatMap({ Double($0) }), number.isFinite else { continue }
        time = FrameTime(key: key, value: number)
      }
    }

    private static func periodicity(_ text: String, _ lines: LineReader) throws -> [Bool] {
      let flags = elements(text).compactMap { word -> Bool? in
        switch word {
        case "T", "t", "True", "true", "TRUE", "1": true
        case "F", "f", "False", "false", "FALSE", "0": false
        default: nil
        }
      }
      if flags.count == 1, let flag = flags.first { return [flag, flag, flag] }
      guard flags.count == 3 else { throw lines.failure("pbc must be three of T and F, found \"\(text)\"") }
      return flags
    }

    /// What stands in a list, however it is written: "1 0 0", [1, 0, 0], [[1, 0], [0, 1]].
    private static func elements(_ text: String) -> [Substring] {
      text.split { $0.isWhitespace || ",[]{}()\"'".contains($0) }
    }

    /// Splits key=value, where values may stand in quotes, brackets or braces.
    private static func keyValues(_ lines: LineReader) throws -> [(key: String, value: String)] {
      var rest = Substring(lines.text)
      var values: [(key: String, value: String)] = []
      while true {
        rest = rest.drop { $0.isWhitespace }
        guard !rest.isEmpty else { return values }
        let key = String(rest.prefix { $0 != "=" && !$0.isWhitespace })
        rest = rest.dropFirst(key.count)
        guard rest.first == "=" else { continue }
        rest = rest.dropFirst()
        guard let end = endOfValue(rest) else { throw lines.failure("the value of \(key) has no end") }
        let isEnclosed = rest.first.map { closing[$0] != nil } ?? false
        values.append((key, String(isEnclosed ? rest[..<end].dropFirst().dropLast() : rest[..<end])))
        rest = rest[end...]
      }
    }

    private static let closing: [Character: Character] = ["\"": "\"", "'": "'", "[": "]", "{": "}"]

    /// Behind the value that a text begins with; nil where it is not closed.
    private static func endOfValue(_ text: Substring) -> Substring.Index? {
      guard let opening = text.first, let close = closing[opening] else {
        return text.firstIndex(where: \.isWhitespace) ?? text.endIndex
      }
      var depth = 1
      for i in text.indices.dropFirst() {
        if text[i] == close {
          depth -= 1
        } else if text[i] == opening {
          depth += 1
        }
        if depth == 0 { return text.index(after: i) }
      }
      return nil
    }
  }
}
