import DiffNNP

/// Reads the frames of one file in order, in the file's own units.
protocol FrameReader {
  /// Names of the types of the frames read so far. Grows while reading.
  var speciesNames: [String] { get }
  /// Passes over a frame, reading no more of it than it must. False at the end of the file.
  mutating func skipFrame() throws -> Bool
  /// The next frame, its types being indices into `speciesNames`; nil at the end of the file.
  mutating func readFrame() throws -> Frame?
  /// Position of the frame read last, for errors: file, line, and frame counted from 0.
  var location: String { get }
  /// Units that the file names, up to the frame read last.
  var units: FileUnits { get }
  /// Time of the frame read last, where the file has one.
  var time: FrameTime? { get }
  /// Columns that may be forces by their names, where none are read.
  var likelyForces: [String] { get }
  /// Further warnings for the user.
  var remarks: [String] { get }
}

/// Findings about a file besides its frames.
public struct ReadingReport: Sendable {
  /// Warnings for the user, a sentence each.
  public var warnings: [String] = []
  /// Units of the file, as they were understood.
  public var units = FileUnits()
  /// Columns or arrays that may be forces by their names, where none were read.
  public var likelyForces: [String] = []
  /// Whether there are several frames, all equal; they are all kept then.
  public var areAllAlike = false
}

/// Names of species in order of first appearance.
struct SpeciesTable {
  private(set) var names: [String]

  init(_ names: [String] = []) { self.names = names }

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
  /// More types than this are taken for a damaged file.
  private static let most = 10_000

  init(given: [String]?) {
    self.given = given
    names = given ?? []
  }

  /// The index of a numbered type, which is added where it is new.
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
    var intake = FrameIntake(selection)
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
        if let taken = try naming(reader.location, { try intake.take(frame, from: reader) }) {
          try frames.append(taken)
        }
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
    self = try naming(path) { try intake.trajectory(of: frames.frames(), from: reader) }
  }
}

/// Converts frames as files have them into frames as the program uses them: in its units, with short cell vectors, of
/// the chosen atoms. Checks each by itself and against those before.
private struct FrameIntake {
  private let selection: TrajectorySelection
  private var reduction = CellReduction()
  private var distances = DistanceCheck()
  private var order = FrameOrder()
  private var filter: SpeciesFilter
  /// Units of the first frame.
  private var units: FileUnits?

  init(_ selection: TrajectorySelection) {
    self.selection = selection
    filter = SpeciesFilter(selection.species)
  }

  /// Converts and checks a frame.
  /// - Returns: nil for a frame that was there before, where such ones are not wanted.
  mutating func take(_ frame: Frame, from reader: any FrameReader) throws -> Frame? {
    let units = try reader.units.completed(by: selection.units)
    self.units = self.units ?? units
    var frame = try frame.converted(from: units)
    frame.cell = try reduction.apply(to: frame.cell)
    try distances.add(frame, reader.speciesNames)
    frame = try filter.apply(to: frame, speciesNames: reader.speciesNames)
    if selection.leavesOutRepeats, order.isRepeat(frame) { return nil }
    order.add(reader.time, number: frame.number)
    return frame
  }

  func trajectory(of frames: Frames, from reader: any FrameReader) throws -> Trajectory {
    let areAllAlike = frames.count == 1 && order.repeats > 0
    let frames = areAllAlike ? frames.at(repeatElement(0, count: order.repeats + 1)) : frames
    var trajectory = try filter.trajectory(of: frames, speciesNames: reader.speciesNames)
    var warnings = reader.remarks
    if order.repeats > 0, !areAllAlike {
      let (subject, verb) = order.repeats == 1 ? ("1 frame", "is") : ("\(order.repeats) frames", "are")
      warnings.append("\(subject) left out, which \(verb) there before, equal in all digits")
    }
    warnings += [order.warning, try distances.warning()].compactMap { $0 }
    trajectory.report = ReadingReport(
      warnings: warnings, units: units ?? FileUnits(), likelyForces: reader.likelyForces, areAllAlike: areAllAlike)
    return trajectory
  }
}

extension Frame {
  /// The frame in Å and eV/Å.
  fileprivate func converted(from units: FileUnits) throws -> Frame {
    var frame = self
    let (length, force) = (units.lengthSize, units.forceSize)
    if length != 1 {
      frame.cell = try Cell(vectors: cell.vectors.map { length * $0 }, periodic: cell.periodic)
      frame.positions = positions.map { length * $0 }
    }
    if force != 1 { frame.forces = forces?.map { force * $0 } }
    return frame
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
  func trajectory(of frames: Frames, speciesNames: [String]) throws -> Trajectory {
    let present = speciesNames.indices.filter { seen[$0] }.map { speciesNames[$0] }
    let names = chosen ?? present
    if let missing = names.first(where: { !present.contains($0) }) {
      throw DiffNNPError("no atoms of species \(missing); there are \(present.joined(separator: " "))")
    }
    guard names != speciesNames else { return Trajectory(typeNames: names, frames: frames) }
    let newTypes = speciesNames.map { names.firstIndex(of: $0) ?? -1 }
    return Trajectory(typeNames: names, frames: frames.renumbered(newTypes))
  }
}
