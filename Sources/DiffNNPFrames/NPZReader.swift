import DiffNNP

/// Frames in an NPZ archive with NequIP's keys: `R` [frames][atoms][3], `z`, `types` or `symbols` [atoms] (or [frames][atoms]),
/// `cell` [3][3] or [frames][3][3] (or edges, [3] or [frames][3]; or `L`, the edge of a cube), `pbc` [3] or [frames][3], and `F` where there are forces. `symbols`
/// may be the names of types instead. Units may be named as by sGDML, `r_unit` and `e_unit`.
struct NPZReader: FrameReader {
  private let path: String
  private let positions: NPYStream
  private let forces: NPYStream?
  private let cells: [Cell]
  /// Types of one frame, or of all of them in a row.
  private let types: [Int]
  let speciesNames: [String]
  let units: FileUnits
  let likelyForces: [String]
  let time: FrameTime? = nil
  let remarks: [String] = []
  private var next = 0

  private var frameCount: Int { positions.shape[0] }
  private var atomCount: Int { positions.shape[1] }

  init(path: String, _ selection: TrajectorySelection) throws {
    let archive = try ZipArchive(path: path)
    let arrays = NPZArrays(archive: archive)
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
    forces = try arrays.frames(selection.forcesName ?? "F")
    if let forces, forces.shape != positions.shape {
      throw arrays.wrongShape(forces.name, forces.shape, "that of R, \(positions.shape)")
    }
    guard forces != nil || selection.forcesName == nil else {
      throw DiffNNPError(
        "\(path): no array \(selection.forcesName ?? ""); it has \(archive.names.joined(separator: " "))")
    }
    likelyForces = forces == nil ? arrays.names.filter { $0 == "f" || $0.lowercased().contains("force") } : []
    units = try arrays.units()
    cells = try arrays.cells(frames: frames)
    (types, speciesNames) = try NPZSpecies(
      arrays, frames: frames, atoms: atoms, typeNames: selection.typeNames
    ).typesAndNames()
  }

  var location: String { "\(path): frame \(next - 1)" }

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
}

/// Members of an archive of frames, with errors that name the file.
struct NPZArrays {
  let archive: ZipArchive

  /// Without the ending that numpy gives them.
  var names: [String] { archive.names.map { $0.hasSuffix(".npy") ? String($0.dropLast(4)) : $0 } }

  /// One to be read frame by frame. It is read once before, so that damage shows before any work.
  func frames(_ key: String) throws -> NPYStream? {
    try archive.stream(key)?.readToEnd()
    return try archive.stream(key)
  }

  func failure(_ message: String) -> DiffNNPError { DiffNNPError("\(archive.path): \(message)") }

  func wrongShape(_ name: String, _ shape: [Int], _ expected: String) -> DiffNNPError {
    DiffNNPError("\(name) has shape \(shape), expected \(expected)")
  }

  /// Units that arrays with names like r_unit name.
  /// - Throws: where a name is no unit.
  func units() throws -> FileUnits {
    var units = FileUnits()
    for key in names where key.lowercased().contains("unit") {
      guard let array = try archive.array(key), array.count == 1, let name = array.string(0) else { continue }
      guard units.note(key: key, name) != false else {
        throw failure("\(key) is \"\(name)\", which is no unit; \(FileUnits.knownNames)")
      }
    }
    return units
  }

  /// One cell for all frames, or one for each.
  func cells(frames: Int) throws -> [Cell] {
    let periodic = try periodicity(frames: frames)
    let vectors = try vectors(frames: frames)
    let count = max(vectors.count, periodic.count)
    return try (0..<count).map { k in
      try naming("\(archive.path): cell \(k)") {
        try Cell(
          vectors: vectors[vectors.count == 1 ? 0 : k], periodic: periodic[periodic.count == 1 ? 0 : k])
      }
    }
  }

  /// Vectors of one cell, or of one for each frame.
  private func vectors(frames: Int) throws -> [[SIMD3<Double>]] {
    guard let array = try archive.array("cell") else {
      guard let edge = try archive.array("L"), edge.count == 1 else {
        throw failure("no cell; give it as an array cell [3][3], or as L, a cube's edge")
      }
      let a = edge.double(0)
      return [[[a, 0, 0], [0, a, 0], [0, 0, a]]]
    }
    if [[3, 3], [1, 3, 3], [frames, 3, 3]].contains(array.shape), !(frames == 3 && Self.areEdges(array)) {
      return (0..<array.count / 9).map { array.vectors(from: 9 * $0, count: 3) }
    }
    guard [[3], [1, 3], [frames, 3]].contains(array.shape) else {
      throw wrongShape(array.name, array.shape, "[3][3] or [frames][3][3], or edges along x, y, z")
    }
    return array.vectors(from: 0, count: array.count / 3).map { [[$0.x, 0, 0], [0, $0.y, 0], [0, 0, $0.z]] }
  }

  /// Whether nine numbers are the edges of three frames, and not the vectors of one cell: no row has a zero or a negative number,
  /// and rows are alike, as those of a cell that spans a volume are not.
  private static func areEdges(_ array: NPYArray) -> Bool {
    guard array.shape == [3, 3] else { return false }
    let rows = array.vectors(from: 0, count: 3)
    return (0..<3).allSatisfy { axis in
      let edges = rows.map { $0[axis] }
      return edges.min()! > 0 && edges.max()! < 1.5 * edges.min()!
    }
  }

  /// Periodicity of all frames, or of each.
  private func periodicity(frames: Int) throws -> [[Bool]] {
    guard let array = try archive.array("pbc") else { return [[true, true, true]] }
    if array.count == 1 { return [Array(repeating: array.double(0) != 0, count: 3)] }
    guard [[3], [1, 3], [frames, 3]].contains(array.shape) else {
      throw wrongShape(array.name, array.shape, "[3] or [frames][3]")
    }
    return (0..<array.count / 3).map { row in (0..<3).map { array.double(3 * row + $0) != 0 } }
  }
}
