import DiffNNP

/// The choice of atoms and frames of a file, and what the file does not say itself.
public struct TrajectorySelection: Sendable {
  /// Species to keep, in this order of types; nil keeps all, in order of first appearance (numbered types: of number).
  public var species: [String]?
  /// Names of the numbered types of a file, type 1 first. Where nil, the file's own names are taken, and failing those
  /// "1", "2", ….
  public var typeNames: [String]?
  /// First frame; negative counts from the end, as in Python slices.
  public var start = 0
  /// The frame to stop before; negative counts from the end, nil is the end.
  public var stop: Int?
  /// Distance between frames, positive.
  public var step = 1
  /// Units of a file that does not name its own; those of both must agree.
  public var units: FileUnits?
  /// The column of forces: a name in Properties, the beginning of NAMEx NAMEy NAMEz or NAME[1] NAME[2] NAME[3] in a
  /// dump, or a key of an archive. Where nil, it is forces or force, fx fy fz, F.
  public var forcesName: String?
  /// Whether frames that were there before, equal in all digits, are left out, unless all frames are alike.
  public var leavesOutRepeats = false

  /// A selection of species and frames; by default all of them.
  public init(
    species: [String]? = nil, typeNames: [String]? = nil, start: Int = 0, stop: Int? = nil, step: Int = 1
  ) {
    self.species = species
    self.typeNames = typeNames
    self.start = start
    self.stop = stop
    self.step = step
  }

  /// A selection of frames by a slice.
  /// - Parameter slice: START:STOP:STEP as in Python, any of them empty; the second colon may be left out.
  /// - Throws: where `slice` is something else, or goes backwards.
  public init(species: [String]? = nil, typeNames: [String]? = nil, slice: String) throws {
    let fields = slice.split(separator: ":", omittingEmptySubsequences: false)
    let numbers = fields.map { Int($0) }
    guard 2...3 ~= fields.count, zip(fields, numbers).allSatisfy({ $0.isEmpty || $1 != nil }) else {
      throw DiffNNPError("frames are chosen as START:STOP:STEP, for instance 0:500 or ::10; found \"\(slice)\"")
    }
    self.init(
      species: species, typeNames: typeNames, start: numbers[0] ?? 0, stop: numbers[1],
      step: numbers.count == 3 ? numbers[2] ?? 1 : 1)
    try check()
  }

  func check() throws {
    guard step > 0 else {
      throw DiffNNPError("frames are taken in order of time: their step must be positive, found \(step)")
    }
    for (what, names) in [("species", species), ("type names", typeNames)] {
      guard let names else { continue }
      guard !names.isEmpty, !names.contains(""), Set(names).count == names.count else {
        throw DiffNNPError("\(what) must be given once each; found \"\(names.joined(separator: ","))\"")
      }
    }
  }

  /// Whether the number of frames must be known before the first one can be chosen.
  var countsFromEnd: Bool { start < 0 || (stop ?? 0) < 0 }

  /// Numbers of the chosen frames of a file of `count`; `Int.max` where the count is neither known nor needed.
  func frames(of count: Int) -> StrideTo<Int> {
    func clamped(_ i: Int) -> Int { i < 0 ? max(count + i, 0) : min(i, count) }
    let first = clamped(start)
    // A step beyond the end is as good as any other, and cannot overflow.
    return stride(from: first, to: clamped(stop ?? count), by: min(step, max(count - first, 1)))
  }
}
