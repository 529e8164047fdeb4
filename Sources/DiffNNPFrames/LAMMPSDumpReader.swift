import DiffNNP

/// LAMMPS text dumps of style atom or custom: any columns with `x y z` (or xu, xs, xsu), `type` or `element`, `id`,
/// `fx fy fz`. Atoms are put in order of their ids. Positions come out as LAMMPS has them, in Å: the box may start
/// anywhere.
struct LAMMPSDumpReader: FrameReader {
  private let lines: LineReader
  private let namesTypes: Bool
  private var species = SpeciesTable()
  private var numbered: NumberedTypes
  /// Whether species are known by number; nil before the first frame.
  private var usesNumbers: Bool?
  private var frame = -1
  private var firstLine = 0
  private var forceUnit = 1.0

  /// eV for 1 kcal/mol (CODATA 2018).
  private static let kilocalorie = 0.043_364_104_241_800_94

  /// - Parameter typeNames: names of types 1, 2, …; nil takes elements from the file where it has them.
  init(path: String, typeNames: [String]?) throws {
    lines = try LineReader(path: path)
    namesTypes = typeNames != nil
    numbered = NumberedTypes(given: typeNames)
  }

  var speciesNames: [String] { usesNumbers == true ? numbered.names : species.names }

  var place: String { "\(lines.path):\(firstLine): frame \(frame)" }

  mutating func skipFrame() throws -> Bool {
    guard let header = try readHeader() else { return false }
    guard try lines.skip(header.count) else { throw truncated() }
    return true
  }

  mutating func readFrame() throws -> Frame? {
    guard let header = try readHeader() else { return nil }
    let columns = try Columns(header.columns, namesTypes: namesTypes, lines)
    guard usesNumbers == nil || usesNumbers == columns.isNumbered else {
      throw lines.failure("frame \(frame) names its atoms by other columns than the frames before: element or type")
    }
    usesNumbers = columns.isNumbered
    let box = try header.box()
    var positions: [SIMD3<Double>] = []
    var types: [Int] = []
    var forces: [SIMD3<Double>] = []
    var ids: [Int] = []
    for _ in 0..<header.count {
      guard try lines.advance() else { throw truncated() }
      lines.split()
      guard lines.fields.count >= header.columns.count, lines.fieldText(0) != "ITEM:" else {
        throw lines.failure(
          "expected an atom's \(header.columns.count) columns; frame \(frame) has \(positions.count) of "
            + "\(header.count) atoms before this line")
      }
      types.append(try type(columns))
      let x = try columns.vector(columns.positions, lines)
      positions.append(columns.isScaled ? box.cell.cartesian(x) + box.origin : x)
      if let f = columns.forces { forces.append(forceUnit * (try columns.vector(f, lines))) }
      if let id = columns.id { ids.append(try lines.integer(id)) }
    }
    var frame = Frame(
      cell: box.cell, positions: positions, types: types, forces: columns.forces == nil ? nil : forces)
    if columns.id != nil { try sort(&frame, by: ids) }
    return frame
  }

  private mutating func type(_ columns: Columns) throws -> Int {
    if let k = columns.element { return species.index(of: lines.field(k)) }
    let type = try lines.integer(columns.type!)
    do { return try numbered.index(of: type - 1) } catch let error as DiffNNPError {
      throw lines.failure(error.message)
    }
  }

  private func sort(_ frame: inout Frame, by ids: [Int]) throws {
    guard zip(ids, ids.dropFirst()).contains(where: { $0 >= $1 }) else { return }
    let order = ids.indices.sorted { ids[$0] < ids[$1] }
    for (i, j) in zip(order, order.dropFirst()) where ids[i] == ids[j] {
      throw DiffNNPError("\(place): two atoms have the id \(ids[i])")
    }
    frame.positions = order.map { frame.positions[$0] }
    frame.types = order.map { frame.types[$0] }
    frame.forces = frame.forces.map { forces in order.map { forces[$0] } }
  }

  private func truncated() -> DiffNNPError {
    lines.failure("the file ends within frame \(frame), which begins in line \(firstLine); remove it or write it again")
  }

  /// All before the atoms of a frame.
  private struct Header {
    var count = -1
    var bounds: [[Double]] = []
    /// Words behind BOX BOUNDS.
    var boxWords: [String] = []
    var boxLine = 0
    var columns: [String] = []
    var path = ""

    /// The cell, and the corner it starts from.
    func box() throws -> (cell: Cell, origin: SIMD3<Double>) {
      func failure(_ reason: String) -> DiffNNPError { DiffNNPError("\(path):\(boxLine): \(reason)") }
      guard bounds.count == 3, boxWords.count >= 3 else {
        throw failure("the frame has no BOX BOUNDS with three boundaries")
      }
      let periodic = boxWords.suffix(3).map { $0.hasPrefix("p") }
      let general = boxWords.first == "abc"
      let triclinic = boxWords.first == "xy"
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
      header.boxWords = (3..<lines.fields.count).map(lines.fieldText).filter {
        !["xz", "yz", "origin"].contains($0)
      }
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
      switch lines.fields.isEmpty ? "" : lines.fieldText(0) {
      case "metal": forceUnit = 1
      case "real": forceUnit = Self.kilocalorie
      case let units: throw lines.failure("units \(units); expected metal or real")
      }
    }
  }

  private func advanceWithinHeader() throws {
    guard try lines.advance() else { throw truncated() }
    lines.split()
  }

  /// Where an atom's line has what.
  private struct Columns {
    var id: Int?
    var element: Int?
    var type: Int?
    var positions: SIMD3<Int>
    var forces: SIMD3<Int>?
    var isScaled: Bool

    var isNumbered: Bool { element == nil }

    init(_ names: [String], namesTypes: Bool, _ lines: LineReader) throws {
      func triple(_ prefix: String, _ suffix: String) -> SIMD3<Int>? {
        let found = ["x", "y", "z"].compactMap { names.firstIndex(of: prefix + $0 + suffix) }
        return found.count == 3 ? SIMD3(found[0], found[1], found[2]) : nil
      }
      let absolute = triple("", "u") ?? triple("", "")
      guard let positions = absolute ?? triple("", "su") ?? triple("", "s") else {
        throw lines.failure(
          "no positions: expected columns x y z, or xu, xs, xsu; found \(names.joined(separator: " "))")
      }
      self.positions = positions
      isScaled = absolute == nil
      forces = triple("f", "")
      id = names.firstIndex(of: "id")
      element = namesTypes ? nil : names.firstIndex(of: "element")
      type = names.firstIndex(of: "type")
      guard element != nil || type != nil else {
        let wanted = namesTypes ? "a column type" : "a column element or type"
        throw lines.failure("no species: expected \(wanted); found \(names.joined(separator: " "))")
      }
    }

    func vector(_ columns: SIMD3<Int>, _ lines: LineReader) throws -> SIMD3<Double> {
      SIMD3(try lines.number(columns.x), try lines.number(columns.y), try lines.number(columns.z))
    }
  }
}
