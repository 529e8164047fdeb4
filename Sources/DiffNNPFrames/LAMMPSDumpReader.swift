import DiffNNP

/// LAMMPS text dumps of style atom or custom: any columns with `x y z` (or xu, xs, xsu), `type`, `element` or
/// `typelabel`, `id`, `fx fy fz`. Atoms are put in order of their ids. Positions come out as LAMMPS has them: the box
/// may start anywhere.
struct LAMMPSDumpReader: FrameReader {
  private let lines: LineReader
  private let typeNames: [String]?
  private let forcesName: String?
  private var species = SpeciesTable()
  private var numbered: NumberedTypes
  /// Names in columns beside the one that species are known by.
  private var otherNames = SpeciesTable()
  /// Agreement of types with names, and of names with other names.
  private var agreements = (types: SpeciesAgreement(), names: SpeciesAgreement())
  /// Whether species are known by number; nil before the first frame.
  private var usesNumbers: Bool?
  private var frame = -1
  private var firstLine = 0
  private(set) var units = FileUnits()
  private(set) var time: FrameTime?
  private(set) var likelyForces: [String] = []
  private(set) var remarks: [String] = []

  init(path: String, _ selection: TrajectorySelection) throws {
    lines = try LineReader(path: path)
    (typeNames, forcesName) = (selection.typeNames, selection.forcesName)
    numbered = NumberedTypes(given: selection.typeNames)
  }

  var speciesNames: [String] { usesNumbers == true ? numbered.names : species.names }

  var location: String { "\(lines.path):\(firstLine): frame \(frame)" }

  mutating func skipFrame() throws -> Bool {
    guard let header = try readHeader() else { return false }
    guard try lines.skip(header.count) else { throw truncated() }
    return true
  }

  mutating func readFrame() throws -> Frame? {
    guard let header = try readHeader() else { return nil }
    let columns = try Columns(header.columns, namesTypes: typeNames != nil, forcesName: forcesName, lines)
    guard usesNumbers == nil || usesNumbers == columns.isNumbered else {
      throw lines.failure("frame \(frame) names its atoms by other columns than the frames before: element or type")
    }
    usesNumbers = columns.isNumbered
    time = header.time
    if columns.forces == nil { likelyForces = columns.likelyForces }
    let box = try header.box()
    var positions: [SIMD3<Double>] = []
    var types: [Int] = []
    var forces: [SIMD3<Double>] = []
    var ids: [Int] = []
    for _ in 0..<header.count {
      guard try lines.advanceToWhole() else { throw truncated() }
      lines.split()
      guard lines.fields.count >= header.columns.count, lines.fieldText(0) != "ITEM:" else {
        throw lines.failure(
          "expected an atom's \(header.columns.count) columns; frame \(frame) has \(positions.count) of "
            + "\(header.count) atoms before this line")
      }
      types.append(try type(columns))
      let x = try columns.vector(columns.positions, lines)
      positions.append(columns.isScaled ? box.cell.cartesian(x) + box.origin : x)
      if let f = columns.forces { forces.append(try columns.vector(f, lines)) }
      if let id = columns.id { ids.append(try lines.integer(id)) }
    }
    var frame = Frame(
      cell: box.cell, positions: positions, types: types, forces: columns.forces == nil ? nil : forces)
    if columns.id != nil { try sort(&frame, by: ids) }
    return frame
  }

  // MARK: Species

  private mutating func type(_ columns: Columns) throws -> Int {
    guard let name = columns.names.first, !columns.isNumbered else { return try numberedType(columns) }
    let type = species.index(of: lines.field(name.column))
    if let typeNames, !typeNames.contains(speciesNames[type]) {
      throw lines.failure(
        "no column type, and \(name.name) has \(speciesNames[type]), which is none of the names of types given "
          + "(\(typeNames.joined(separator: " "))); leave these out")
    }
    if let column = columns.type, let conflict = agreements.types.add(try lines.integer(column), type) {
      let text = conflict.text(("type", name.name), (nil, speciesNames))
      throw lines.failure("\(text); say what types 1, 2, … are with --types, or leave out the column that is wrong")
    }
    if columns.names.count > 1 {
      let other = columns.names[1]
      if let conflict = agreements.names.add(type, otherNames.index(of: lines.field(other.column))) {
        let text = conflict.text((name.name, other.name), (speciesNames, otherNames.names))
        throw lines.failure("\(text); leave out the one that is wrong, or say what types 1, 2, … are with --types")
      }
      // Labels of their own are as good as elements, but names of the same kind must be the same.
      let (name, otherName) = (speciesNames[type], lines.fieldText(other.column))
      if otherName != name, speciesNames.contains(where: { $0 == otherName }) {
        throw lines.failure(
          "\(columns.names[0].name) says \(name) where \(other.name) says \(otherName): they contradict one another; leave out "
            + "the one that is wrong")
      }
    }
    return type
  }

  private mutating func numberedType(_ columns: Columns) throws -> Int {
    let type = try lines.integer(columns.type!)
    let index: Int
    do { index = try numbered.index(of: type - 1) } catch let error as DiffNNPError {
      throw lines.failure(error.message)
    }
    guard remarks.isEmpty, let typeNames, let name = columns.names.first else { return index }
    let told = lines.fieldText(name.column)
    if told != typeNames[index], typeNames.contains(told) {
      remarks = [
        "the column \(name.name) has \(told) where type is \(type), which the names given call \(typeNames[index])"
      ]
    }
    return index
  }

  private func sort(_ frame: inout Frame, by ids: [Int]) throws {
    guard zip(ids, ids.dropFirst()).contains(where: { $0 >= $1 }) else { return }
    let order = ids.indices.sorted { ids[$0] < ids[$1] }
    for (i, j) in zip(order, order.dropFirst()) where ids[i] == ids[j] {
      throw DiffNNPError("\(location): two atoms have the id \(ids[i])")
    }
    frame.positions = order.map { frame.positions[$0] }
    frame.types = order.map { frame.types[$0] }
    frame.forces = frame.forces.map { forces in order.map { forces[$0] } }
  }

  private func truncated() -> DiffNNPError {
    lines.failure("the file ends within frame \(frame), which begins in line \(firstLine); remove it or write it again")
  }

  /// The lines before the atoms of a frame.
  private struct Header {
    var count = -1
    var bounds: [[Double]] = []
    /// Words behind BOX BOUNDS.
    var boxWords: [String] = []
    var boxLine = 0
    var columns: [String] = []
    var path = ""
    var time: FrameTime?

    /// The boundary flags with which LAMMPS describes the lower and the upper face of a direction.
    private static let boundaries = ["pp"] + ["f", "s", "m"].flatMap { low in ["f", "s", "m"].map { low + $0 } }

    private func failure(_ reason: String) -> DiffNNPError { DiffNNPError("\(path):\(boxLine): \(reason)") }

    /// Whether the box repeats along its directions, from the words behind those of its shape.
    private func periodicity(_ words: ArraySlice<String>) throws -> [Bool] {
      let write = "write pp for a direction that is periodic and ff for one that is not: ITEM: BOX BOUNDS pp pp pp"
      guard !words.isEmpty else {
        throw failure("BOX BOUNDS has no boundary flags, and it is not known whether the box is periodic; \(write)")
      }
      guard words.count == 3, words.allSatisfy(Self.boundaries.contains) else {
        throw failure(
          "BOX BOUNDS has the boundary flags \"\(words.joined(separator: " "))\"; expected three pairs of p, f, s and m; "
            + write)
      }
      return words.map { $0 == "pp" }
    }

    /// The cell, and its origin.
    func box() throws -> (cell: Cell, origin: SIMD3<Double>) {
      guard bounds.count == 3 else { throw failure("the frame has no BOX BOUNDS") }
      let shapeWords = [["abc", "origin"], ["xy", "xz", "yz"]].first { boxWords.starts(with: $0) } ?? []
      let periodic = try periodicity(boxWords[shapeWords.count...])
      let general = shapeWords.count == 2
      let triclinic = shapeWords.count == 3
      let width = general ? 4 : triclinic ? 3 : 2
      guard bounds.allSatisfy({ $0.count == width }) else { throw failure("BOX BOUNDS must have \(width) columns") }
      do {
        if general {
          let vectors = bounds.map { SIMD3($0[0], $0[1], $0[2]) }
          return (try Cell(vectors: vectors, periodic: periodic), SIMD3(bounds[0][3], bounds[1][3], bounds[2][3]))
        }
        let (xy, xz, yz) = triclinic ? (bounds[0][2], bounds[1][2], bounds[2][2]) : (0, 0, 0)
        // The bounds are those of the box around the tilted cell.
        let low = SIMD3(bounds[0][0] - min(0, xy, xz, xy + xz), bounds[1][0] - min(0, yz), bounds[2][0])
        let high = SIMD3(bounds[0][1] - max(0, xy, xz, xy + xz), bounds[1][1] - max(0, yz), bounds[2][1])
        let edge = high - low
        return (try Cell(vectors: [[edge.x, 0, 0], [xy, edge.y, 0], [xz, yz, edge.z]], periodic: periodic), low)
      } catch let error as DiffNNPError {
        throw failure(error.message)
      }
    }
  }

  /// Reads up to the line with the columns; nil at the end of the file.
  private mutating func readHeader() throws -> Header? {
    var header = Header()
    header.path = lines.path
    var firstItem = true
    while try lines.advance() {
      lines.split()
      if lines.fields.isEmpty { continue }
      let line = lines.text
      guard lines.fieldText(0) == "ITEM:" else { throw lines.failure("expected ITEM: …, found \"\(line.prefix(40))\"") }
      if firstItem {
        firstItem = false
        firstLine = lines.lineNumber
        frame += 1
      }
      if line.hasPrefix("ITEM: ATOMS") {
        guard header.count >= 0 else { throw lines.failure("frame \(frame) has no NUMBER OF ATOMS") }
        header.columns = (2..<lines.fields.count).map(lines.fieldText)
        return header
      }
      try readItem(line, &header)
    }
    guard firstItem else { throw truncated() }
    return nil
  }

  private mutating func readItem(_ line: String, _ header: inout Header) throws {
    if line.hasPrefix("ITEM: BOX BOUNDS") {
      header.boxWords = (3..<lines.fields.count).map(lines.fieldText)
      header.boxLine = lines.lineNumber
      for _ in 0..<3 {
        try advanceWithinHeader()
        header.bounds.append(try lines.fields.indices.map(lines.number))
      }
      return
    }
    try advanceWithinHeader()
    if line.hasPrefix("ITEM: NUMBER OF ATOMS") {
      header.count = lines.fields.count == 1 ? try lines.integer(0) : -1
      guard 0...Int(Int32.max) ~= header.count else { throw lines.failure("expected the number of atoms") }
    } else if line.hasPrefix("ITEM: UNITS") {
      let style = lines.fields.isEmpty ? "" : lines.fieldText(0)
      do {
        guard let units = try FileUnits(style: style) else {
          throw DiffNNPError("units \(style) are unknown; \(FileUnits.knownNames)")
        }
        self.units = units
      } catch let error as DiffNNPError {
        throw lines.failure(error.message)
      }
    } else if line.hasPrefix("ITEM: TIMESTEP"), lines.fields.count == 1 {
      header.time = FrameTime(key: "TIMESTEP", value: try lines.number(0))
    }
  }

  private func advanceWithinHeader() throws {
    guard try lines.advanceToWhole() else { throw truncated() }
    lines.split()
  }

  /// Column numbers of the quantities in an atom's line.
  private struct Columns {
    var id: Int?
    /// Columns with names, the one that species are known by first.
    var names: [(name: String, column: Int)]
    var type: Int?
    /// Whether species are known by the column type.
    var isNumbered: Bool
    var positions: SIMD3<Int>
    var forces: SIMD3<Int>?
    /// Prefixes of the names of columns that may be forces.
    var likelyForces: [String]
    var isScaled: Bool

    init(_ names: [String], namesTypes: Bool, forcesName: String?, _ lines: LineReader) throws {
      func columns(_ wanted: [String]) -> SIMD3<Int>? {
        let found = wanted.compactMap { names.firstIndex(of: $0) }
        return found.count == 3 ? SIMD3(found[0], found[1], found[2]) : nil
      }
      func triple(_ prefix: String, _ suffix: String) -> SIMD3<Int>? {
        columns(["x", "y", "z"].map { prefix + $0 + suffix })
      }
      let absolute = triple("", "u") ?? triple("", "")
      guard let positions = absolute ?? triple("", "su") ?? triple("", "s") else {
        throw lines.failure(
          "no positions: expected columns x y z, or xu, xs, xsu; found \(names.joined(separator: " "))")
      }
      self.positions = positions
      isScaled = absolute == nil
      let name = forcesName ?? "f"
      forces = triple(name, "") ?? columns(["[1]", "[2]", "[3]"].map { name + $0 })
      guard forcesName == nil || forces != nil else {
        throw lines.failure(
          "no forces: expected columns \(name)x \(name)y \(name)z or \(name)[1] \(name)[2] \(name)[3]; found "
            + names.joined(separator: " "))
      }
      likelyForces = names.filter { $0.hasSuffix("fx") }.map { String($0.dropLast()) }
      id = names.firstIndex(of: "id")
      type = names.firstIndex(of: "type")
      self.names = ["element", "typelabel"].compactMap { name in names.firstIndex(of: name).map { (name, $0) } }
      isNumbered = type != nil && (namesTypes || self.names.isEmpty)
      guard isNumbered || !self.names.isEmpty else {
        throw lines.failure(
          "no species: expected a column element, type or typelabel; found \(names.joined(separator: " "))")
      }
    }

    func vector(_ columns: SIMD3<Int>, _ lines: LineReader) throws -> SIMD3<Double> {
      SIMD3(try lines.number(columns.x), try lines.number(columns.y), try lines.number(columns.z))
    }
  }
}
