import DiffNNP

/// Extended XYZ, as ASE and libAtoms write it (<https://github.com/libAtoms/extxyz>): the number of atoms, a line of
/// `key=value` with `Lattice`, `Properties` and `pbc`, and a line for each atom with the columns `Properties` lists.
struct ExtendedXYZReader: FrameReader {
  private let lines: LineReader
  private var species = SpeciesTable()
  private var frame = -1
  private var firstLine = 0

  init(path: String) throws { lines = try LineReader(path: path) }

  var speciesNames: [String] { species.names }

  var place: String { "\(lines.path):\(firstLine): frame \(frame)" }

  mutating func skipFrame() throws -> Bool {
    guard let count = try readCount() else { return false }
    guard try lines.skip(count + 1) else { throw truncated() }
    return true
  }

  mutating func readFrame() throws -> Frame? {
    guard let count = try readCount() else { return nil }
    guard try lines.advance() else { throw truncated() }
    let header = try Header(lines)
    var positions: [SIMD3<Double>] = []
    var types: [Int] = []
    var forces: [SIMD3<Double>] = []
    let columns = header.columns
    for _ in 0..<count {
      guard try lines.advance() else { throw truncated() }
      lines.split()
      guard lines.fields.count >= columns.count else {
        throw lines.failure(
          "an atom's line with \(lines.fields.count) columns, expected \(columns.count); "
            + "frame \(frame) has \(positions.count) of \(count) atoms before it")
      }
      types.append(try type(columns.species))
      positions.append(try lines.vector(columns.positions))
      if let column = columns.forces { forces.append(try lines.vector(column)) }
    }
    return Frame(
      cell: header.cell, positions: positions, types: types, forces: columns.forces == nil ? nil : forces)
  }

  private mutating func type(_ column: Columns.Species) throws -> Int {
    switch column {
    case .symbol(let k): return species.index(of: lines.field(k))
    case .atomicNumber(let k):
      guard let symbol = Element.symbol(try lines.integer(k)) else {
        throw lines.failure("\(lines.fieldText(k)) is no element's atomic number")
      }
      return species.index(of: symbol)
    }
  }

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
    enum Species {
      case symbol(Int), atomicNumber(Int)
    }
    var species: Species
    var positions: Int
    var forces: Int?
    var count: Int

    /// - Parameter properties: name:kind:number of columns:…
    init(_ properties: String, _ lines: LineReader) throws {
      let parts = properties.split(separator: ":", omittingEmptySubsequences: false)
      var species: Species?
      var positions: Int?
      count = 0
      guard parts.count % 3 == 0 else { throw lines.failure("Properties must be name:kind:columns, …") }
      for k in stride(from: 0, to: parts.count, by: 3) {
        guard let width = Int(parts[k + 2]), 1...1000 ~= width else {
          throw lines.failure("Properties give \(parts[k]) \(parts[k + 2]) columns")
        }
        switch (parts[k], parts[k + 1], width) {
        case ("species", "S", 1): species = .symbol(count)
        case ("Z", "I", 1), ("numbers", "I", 1): species = species ?? .atomicNumber(count)
        case ("pos", "R", 3): positions = count
        case ("forces", "R", 3), ("force", "R", 3): forces = count
        default: break
        }
        count += width
      }
      guard let species, let positions else {
        throw lines.failure("Properties must have species:S:1 (or Z:I:1) and pos:R:3; found \(properties)")
      }
      self.species = species
      self.positions = positions
    }
  }

  /// What the second line of a frame says.
  private struct Header {
    var cell: Cell
    var columns: Columns

    init(_ lines: LineReader) throws {
      let values = try Self.keyValues(lines)
      guard let lattice = values["Lattice"] else {
        throw lines.failure(
          "the frame has no cell; give it as Lattice=\"ax ay az bx by bz cx cy cz\" in this line (extended XYZ)")
      }
      let numbers = lattice.split(separator: " ").map { Double($0) }
      guard numbers.count == 9, let n = numbers as? [Double] else {
        throw lines.failure("Lattice must be nine numbers, found \"\(lattice)\"")
      }
      let periodic = try Self.periodicity(values["pbc"] ?? "T T T", lines)
      do {
        cell = try Cell(vectors: [[n[0], n[1], n[2]], [n[3], n[4], n[5]], [n[6], n[7], n[8]]], periodic: periodic)
      } catch let error as DiffNNPError {
        throw lines.failure(error.message)
      }
      columns = try Columns(values["Properties"] ?? "species:S:1:pos:R:3", lines)
    }

    private static func periodicity(_ text: String, _ lines: LineReader) throws -> [Bool] {
      let flags = text.split(separator: " ").compactMap { word -> Bool? in
        switch word {
        case "T", "True", "true", "TRUE", "1": true
        case "F", "False", "false", "FALSE", "0": false
        default: nil
        }
      }
      guard flags.count == 3 else { throw lines.failure("pbc must be three of T and F, found \"\(text)\"") }
      return flags
    }

    /// Splits key=value, where values may stand in quotes, brackets or braces.
    private static func keyValues(_ lines: LineReader) throws -> [String: String] {
      let closing: [Character: Character] = ["\"": "\"", "'": "'", "[": "]", "{": "}"]
      var rest = Substring(lines.text)
      var values: [String: String] = [:]
      while true {
        rest = rest.drop { $0.isWhitespace }
        guard !rest.isEmpty else { return values }
        let key = rest.prefix { $0 != "=" && !$0.isWhitespace }
        rest = rest.dropFirst(key.count)
        guard rest.first == "=" else { continue }
        rest = rest.dropFirst()
        if let opening = rest.first, let close = closing[opening] {
          rest = rest.dropFirst()
          guard let end = rest.firstIndex(of: close) else { throw lines.failure("the value of \(key) has no end") }
          values[String(key)] = String(rest[..<end])
          rest = rest[end...].dropFirst()
        } else {
          let value = rest.prefix { !$0.isWhitespace }
          values[String(key)] = String(value)
          rest = rest.dropFirst(value.count)
        }
      }
    }
  }
}
