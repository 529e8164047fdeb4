import DiffNNP

/// Reads the frames of one file in order.
protocol FrameReader {
  /// What the types of the frames read so far stand for. Grows while reading.
  var speciesNames: [String] { get }
  /// Passes over a frame, reading no more of it than it must. False at the end of the file.
  mutating func skipFrame() throws -> Bool
  /// The next frame, its types being indices into `speciesNames`; nil at the end of the file.
  mutating func readFrame() throws -> Frame?
  /// Where the frame read last is, for errors: file, line, and frame counted from 0.
  var place: String { get }
}

/// Names of species in order of first appearance.
struct SpeciesTable {
  private(set) var names: [String] = []

  /// The index of a name, which is added if it is new.
  mutating func index(of bytes: UnsafeRawBufferPointer) -> Int {
    for (i, name) in names.enumerated() where name.utf8.elementsEqual(bytes) { return i }
    names.append(String(decoding: bytes, as: UTF8.self))
    return names.count - 1
  }

  mutating func index(of name: String) -> Int {
    var name = name
    return name.withUTF8 { index(of: UnsafeRawBufferPointer($0)) }
  }
}

/// Numbered types 0, 1, …: named by the caller, or "1", "2", ….
struct NumberedTypes {
  let given: [String]?
  private(set) var names: [String]
  /// Types beyond this are taken for a damaged file.
  private static let most = 10_000

  init(given: [String]?) {
    self.given = given
    names = given ?? []
  }

  /// - Parameter type: counted from 0.
  mutating func index(of type: Int) throws -> Int {
    guard type >= 0, type < (given?.count ?? Self.most) else {
      if let given, type >= 0 {
        throw DiffNNPError("type \(type + 1) has no name: \(given.count) are given (\(given.joined(separator: " ")))")
      }
      throw DiffNNPError("there is no type \(type + 1); types are numbered from 1")
    }
    while names.count <= type { names.append(String(names.count + 1)) }
    return type
  }
}

extension Trajectory {
  /// Reads what `selection` chooses from a file.
  /// - Parameter makeReader: opens the file at its beginning; called twice where frames are counted from the end.
  init(
    path: String, _ selection: TrajectorySelection, memoryLimit: Int = Frames.memoryLimit,
    makeReader: () throws -> any FrameReader
  ) throws {
    var reader = try makeReader()
    var count = Int.max
    if selection.countsFromEnd {
      count = 0
      while try reader.skipFrame() { count += 1 }
      reader = try makeReader()
    }
    var filter = SpeciesFilter(selection.species)
    let validator = FrameValidator()
    var frames = FrameCollector(memoryLimit: memoryLimit)
    var position = 0
    do {
      reading: for wanted in selection.frames(of: count) {
        while position < wanted {
          guard try reader.skipFrame() else { break reading }
          position += 1
        }
        guard var frame = try reader.readFrame() else { break }
        frame.number = wanted
        try naming(reader.place) {
          try validator.check(frame)
          frame = try filter.apply(to: frame, speciesNames: reader.speciesNames)
        }
        try frames.append(frame)
        position += 1
      }
    } catch let error as DiffNNPError where position > 0 {
      throw DiffNNPError("\(error.message); to use only the frames before this one: --frames 0:\(position)")
    }
    guard !frames.isEmpty else {
      while count == .max, try reader.skipFrame() { position += 1 }
      let (stop, total) = (selection.stop.map(String.init) ?? "", count == .max ? position : count)
      throw DiffNNPError(
        "\(path): no frames chosen by \(selection.start):\(stop):\(selection.step); the file has \(total), counted from 0"
      )
    }
    self = try filter.trajectory(of: frames.frames(), path: path, speciesNames: reader.speciesNames)
  }
}

/// Keeps the chosen species, and numbers types in their order.
private struct SpeciesFilter {
  private let chosen: [String]?
  private var seen: [Bool] = []

  init(_ chosen: [String]?) { self.chosen = chosen }

  /// The frame with the chosen atoms alone; types are still those of the reader.
  mutating func apply(to frame: Frame, speciesNames: [String]) throws -> Frame {
    while seen.count < speciesNames.count { seen.append(false) }
    for type in frame.types { seen[type] = true }
    guard let chosen else { return frame }
    let keep = speciesNames.map(chosen.contains)
    guard frame.types.contains(where: { !keep[$0] }) else { return frame }
    let atoms = frame.types.indices.filter { keep[frame.types[$0]] }
    guard !atoms.isEmpty else {
      throw DiffNNPError(
        "none of its atoms is \(chosen.joined(separator: " or ")); they are \(speciesNames.joined(separator: " "))")
    }
    return Frame(
      cell: frame.cell, positions: atoms.map { frame.positions[$0] }, types: atoms.map { frame.types[$0] },
      forces: frame.forces.map { forces in atoms.map { forces[$0] } }, number: frame.number)
  }

  /// The frames with types renumbered: in the chosen order, else those that occur in the reader's order.
  func trajectory(of frames: Frames, path: String, speciesNames: [String]) throws -> Trajectory {
    let present = speciesNames.indices.filter { seen[$0] }.map { speciesNames[$0] }
    let names = chosen ?? present
    if let missing = names.first(where: { !present.contains($0) }) {
      throw DiffNNPError("\(path): no atoms of species \(missing); there are \(present.joined(separator: " "))")
    }
    guard names != speciesNames else { return Trajectory(typeNames: names, frames: frames) }
    let newTypes = speciesNames.map { names.firstIndex(of: $0) ?? -1 }
    return Trajectory(typeNames: names, frames: frames.renumbered(newTypes))
  }
}

/// Refuses frames no calculation can use.
private struct FrameValidator {
  /// Atoms closer than this (Å) are in one place.
  private static let coincidence = 1e-3
  /// Coordinates beyond this (Å) are not positions of a simulation.
  private static let farthest = 1e9
  private let search = NeighbourSearch()
  private let edges = EdgeList()

  func check(_ frame: Frame) throws {
    guard !frame.positions.isEmpty else { throw DiffNNPError("the frame has no atoms") }
    for (i, x) in frame.positions.enumerated() {
      // The comparison is false for NaN too.
      guard abs(x.x) < Self.farthest, abs(x.y) < Self.farthest, abs(x.z) < Self.farthest else {
        throw DiffNNPError("position of atom \(i + 1) is \(x.x) \(x.y) \(x.z); expected finite coordinates in Å")
      }
    }
    for (i, f) in (frame.forces ?? []).enumerated() {
      guard f.x.isFinite, f.y.isFinite, f.z.isFinite else {
        throw DiffNNPError("force on atom \(i + 1) is not finite: \(f.x) \(f.y) \(f.z)")
      }
    }
    try search.fill(edges, frame.configuration, cutoff: Self.coincidence)
    for i in 0..<edges.centreCount where edges.offsets[i + 1] > edges.offsets[i] {
      let j = Int(edges.neighbours[Int(edges.offsets[i])])
      guard i != j else {
        throw DiffNNPError(
          "atom \(i + 1) meets its own image, because the cell is too small; check the cell vectors (Å)")
      }
      throw DiffNNPError("atoms \(i + 1) and \(j + 1) are in one place; remove one of them")
    }
  }
}
