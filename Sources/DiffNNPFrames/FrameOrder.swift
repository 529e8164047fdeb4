import DiffNNP

/// The time that a file gives for a frame: its key, and its value in any unit.
struct FrameTime {
  let key: String
  let value: Double
}

/// Checks the order of frames one after the other: which are repeats of earlier ones, and whether their times increase.
struct FrameOrder {
  private var seen: Set<UInt64> = []
  private(set) var repeats = 0
  private var last: FrameTime?
  private var count = 0
  private var breaks = 0
  private var firstBreak = ""
  /// Whether all times are equal.
  private var isConstant = true

  /// Whether an equal frame came before.
  mutating func isRepeat(_ frame: Frame) -> Bool {
    guard !seen.insert(Self.fingerprint(frame)).inserted else { return false }
    repeats += 1
    return true
  }

  private static func fingerprint(_ frame: Frame) -> UInt64 {
    var print = Fingerprint()
    func add(_ vectors: [SIMD3<Double>]) {
      for x in vectors {
        for k in 0..<3 { print.add(x[k].bitPattern) }
      }
    }
    add(frame.cell.vectors)
    add(frame.positions)
    add(frame.forces ?? [])
    for type in frame.types { print.add(UInt64(type)) }
    return print.value
  }

  /// Takes in the time of a frame.
  /// - Parameter number: of the frame in its file.
  mutating func add(_ time: FrameTime?, number: Int) {
    guard let time else { return }
    defer { last = time }
    count += 1
    guard let last, last.key == time.key else { return }
    if time.value != last.value { isConstant = false }
    guard time.value <= last.value else { return }
    breaks += 1
    if breaks == 1 {
      firstBreak = "frame \(number) has \(time.key) \(Self.text(time.value)) after \(Self.text(last.value))"
    }
  }

  /// The warning about times that do not increase; nil where there is none.
  var warning: String? {
    guard breaks > 0 else { return nil }
    if isConstant, count > 2, let last {
      return "all frames have \(last.key) \(Self.text(last.value)); where they are not in order of time, \(Self.harm)"
    }
    let more = breaks > 1 ? ", and so at \(breaks - 1) more places" : ""
    return
      "frames are not in order of time: \(firstBreak)\(more); \(Self.harm); sort the frames, and leave out those that "
      + "overlap"
  }

  private static let harm =
    "error bars and errors in cross-validation, which take neighbours in the file for neighbours in time, come out too small"

  private static func text(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }
}
