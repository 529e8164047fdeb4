import DiffNNP

/// Frames in an NPZ archive with NequIP's keys: `R` [frames][atoms][3] (Å), `z` or `types` [atoms] (or
/// [frames][atoms]), `cell` [3][3] or [frames][3][3] (or `L`, the edge of a cube), `pbc`, and `F` (eV/Å) where there
/// are forces. `symbols` may name the types.
struct NPZReader: FrameReader {
  private let path: String
  private let positions: NPYStream
  private let forces: NPYStream?
  private let cells: [Cell]
  /// Types of one frame, or of all of them in a row.
  private let types: [Int]
  let speciesNames: [String]
  private var next = 0

  private var frameCount: Int { positions.shape[0] }
  private var atomCount: Int { positions.shape[1] }

  init(path: String, typeNames: [String]?) throws {
    let archive = try ZipArchive(path: path)
    let arrays = Arrays(archive: archive)
    self.path = path
    let positions = try arrays.frames("R")
    guard let positions else {
      throw DiffNNPError("\(path): no array R; it has \(archive.names.joined(separator: " "))")
    }
    guard positions.shape.count == 3, positions.shape[1] > 0, positions.shape[2] == 3 else {
      throw arrays.wrongShape(positions.name, positions.shape, "[frames][atoms][3]")
    }
    self.positions = positions
    let (frames, atoms) = (positions.shape[0], positions.shape[1])
    forces = try arrays.frames("F")
    if let forces, forces.shape != positions.shape {
      throw arrays.wrongShape(forces.name, forces.shape, "that of R, \(positions.shape)")
    }
    cells = try arrays.cells(frames: frames)
    (types, speciesNames) = try arrays.species(frames: frames, atoms: atoms, typeNames: typeNames)
  }

  var place: String { "\(path): frame \(next - 1)" }

  mutating func skipFrame() -> Bool {
    guard next < frameCount else { return false }
    next += 1
    return true
  }

  mutating func readFrame() throws -> Frame? {
    guard next < frameCount else { return nil }
    defer { next += 1 }
    let n = atomCount
    let typeStart = types.count == n ? 0 : next * n
    return Frame(
      cell: cells.count == 1 ? cells[0] : cells[next], positions: try positions.row(next).vectors(from: 0, count: n),
      types: Array(types[typeStart..<typeStart + n]), forces: try forces?.row(next).vectors(from: 0, count: n))
  }

  /// Members of the archive, with errors that name the file.
  private struct Arrays {
    let archive: ZipArchive

    /// One to be read frame by frame. It is read once before, so that damage shows before any work.
    func frames(_ key: String) throws -> NPYStream? {
      try archive.stream(key)?.readToEnd()
      return try archive.stream(key)
    }

    func wrongShape(_ name: String, _ shape: [Int], _ expected: String) -> DiffNNPError {
      DiffNNPError("\(name) has shape \(shape), expected \(expected)")
    }

    /// One cell for all frames, or one for each.
    func cells(frames: Int) throws -> [Cell] {
      let periodic = try periodicity()
      guard let array = try archive.array("cell") else {
        guard let edge = try archive.array("L"), edge.count == 1 else {
          throw DiffNNPError("\(archive.path): no cell; give it as an array cell [3][3] (Å), or as L, a cube's edge")
        }
        return [try cell("L") { try Cell(orthogonal: SIMD3(repeating: edge.double(0)), periodic: periodic) }]
      }
      guard array.shape == [3, 3] || array.shape == [frames, 3, 3] else {
        throw wrongShape(array.name, array.shape, "[3][3] or [frames][3][3]")
      }
      return try (0..<array.count / 9).map { k in
        try cell("cell \(k)") { try Cell(vectors: array.vectors(from: 9 * k, count: 3), periodic: periodic) }
      }
    }

    private func cell(_ name: String, _ make: () throws -> Cell) throws -> Cell {
      do { return try make() } catch let error as DiffNNPError {
        throw DiffNNPError("\(archive.path): \(name): \(error.message)")
      }
    }

    private func periodicity() throws -> [Bool] {
      guard let array = try archive.array("pbc") else { return [true, true, true] }
      guard array.count == 3 || array.count == 1 else { throw wrongShape(array.name, array.shape, "[3]") }
      return (0..<3).map { array.double(array.count == 1 ? 0 : $0) != 0 }
    }

    /// Types of the atoms and their names.
    func species(frames: Int, atoms: Int, typeNames: [String]?) throws -> (types: [Int], names: [String]) {
      if typeNames == nil, let numbers = try integers("z", frames: frames, atoms: atoms) {
        var table = SpeciesTable()
        let types = try numbers.map { z in
          guard let symbol = Element.symbol(z) else {
            throw DiffNNPError("\(archive.path): z has \(z), which is no element's atomic number")
          }
          return table.index(of: symbol)
        }
        return (types, table.names)
      }
      guard let numbers = try integers("types", frames: frames, atoms: atoms) else {
        let wanted = typeNames == nil ? "neither z nor types" : "names are given for types, but there is no array types"
        throw DiffNNPError("\(archive.path): \(wanted); it has \(archive.names.joined(separator: " "))")
      }
      var table = NumberedTypes(given: try typeNames ?? symbols())
      do {
        return (try numbers.map { try table.index(of: $0) }, table.names)
      } catch let error as DiffNNPError {
        throw DiffNNPError("\(archive.path): types: \(error.message)")
      }
    }

    private func integers(_ key: String, frames: Int, atoms: Int) throws -> [Int]? {
      guard let array = try archive.array(key) else { return nil }
      guard array.shape == [atoms] || array.shape == [frames, atoms] else {
        throw wrongShape(array.name, array.shape, "[atoms], \(atoms) as in R")
      }
      return try (0..<array.count).map {
        guard let value = array.integer($0) else {
          throw DiffNNPError("\(archive.path): \(key) has elements that are not whole numbers")
        }
        return value
      }
    }

    private func symbols() throws -> [String]? {
      guard let array = try archive.array("symbols") else { return nil }
      let names = (0..<array.count).compactMap(array.string)
      return names.count == array.count ? names : nil
    }
  }
}
