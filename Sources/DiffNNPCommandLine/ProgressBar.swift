#if canImport(Glibc)
  import Glibc
#endif

/// Shows the progress of a long task on standard error: as a bar where that is a terminal, and as a line now and then
/// where it is a log.
///
///     let bar = ProgressBar("training", total: 3000)
///     for step in 0..<3000 {
///       …
///       bar.update(step + 1, note: "loss -62.1")
///     }
///     bar.finish()
package final class ProgressBar {
  private let label: String
  private let total: Int
  private let moves: Bool
  private let isShown: Bool
  private let start = monotonicSeconds()
  private var lastDrawn = -Double.infinity
  private var drawnWidth = 0
  private var done = 0
  private var note = ""

  private static let barWidth = 24
  /// Seconds between drawings of a bar, and between lines of a log.
  private static let intervals = (bar: 0.1, log: 10.0)

  /// - Parameters:
  ///   - total: number of all steps; positive.
  ///   - isShown: whether anything is shown; false where another process shows the same.
  package init(_ label: String, total: Int, isShown: Bool = true) {
    self.label = label
    self.isShown = isShown
    self.total = max(1, total)
    let terminal = getenv("TERM").map { String(cString: $0) }
    moves = isatty(STDERR_FILENO) == 1 && terminal != nil && terminal != "dumb"
  }

  /// - Parameters:
  ///   - done: steps done.
  ///   - note: additional text, such as the loss.
  package func update(_ done: Int, note: String = "") {
    self.done = done
    self.note = note
    let now = monotonicSeconds()
    guard now - lastDrawn >= (moves ? Self.intervals.bar : Self.intervals.log) else { return }
    // The first line of a log would say nothing.
    if moves || lastDrawn > -.infinity { draw(now) }
    lastDrawn = now
  }

  /// Shows the last state, and ends the line.
  package func finish() {
    draw(monotonicSeconds())
    if moves { fputs("\n", stderr) }
  }

  /// One line about the state: label, bar, percentage, count, note, time left.
  package func line(elapsed: Double) -> String {
    let fraction = min(1, Double(done) / Double(total))
    var line = "\(label) "
    if moves {
      let filled = Int((fraction * Double(Self.barWidth)).rounded(.down))
      line += "[" + String(repeating: "#", count: filled)
      line += String(repeating: ".", count: Self.barWidth - filled) + "] "
    }
    line += "\(Int((100 * fraction).rounded(.down)))% (\(done)/\(total))"
    if !note.isEmpty { line += "  \(note)" }
    if done >= total {
      line += "  in \(Self.duration(elapsed))"
    } else if done > 0 {
      line += "  ETA \(Self.duration(elapsed * Double(total - done) / Double(done)))"
    }
    return line
  }

  private func draw(_ now: Double) {
    guard isShown else { return }
    let line = line(elapsed: now - start)
    if moves {
      // Spaces cover what a longer line left behind.
      fputs("\r\(line.padded(to: drawnWidth))", stderr)
      drawnWidth = line.count
      fflush(stderr)
    } else {
      fputs("\(line)\n", stderr)
    }
  }

  /// Hours, minutes and seconds: 1:02:03 or 2:03.
  package static func duration(_ seconds: Double) -> String {
    let rounded = Int(min(max(seconds, 0), 1e8).rounded())
    func twoDigits(_ n: Int) -> String { n < 10 ? "0\(n)" : "\(n)" }
    let (hours, minutes) = (rounded / 3600, rounded / 60 % 60)
    return (hours > 0 ? "\(hours):\(twoDigits(minutes))" : "\(minutes)") + ":\(twoDigits(rounded % 60))"
  }
}
