#if canImport(Glibc)
  import Glibc
#endif

/// Where the time of an evaluator goes. Give it to `Evaluator.clock`; without one, no time is taken.
public final class StageClock {
  /// A part of the work; each term has stages of its own.
  public struct Stage: Equatable, Sendable {
    public let name: String

    /// Edges, where they are found block by block.
    static let edges = Self(name: "edges")
  }

  /// Time of the thread in each stage (s), in the order in which they came first.
  public private(set) var times: [(stage: Stage, seconds: Double)] = []
  /// Where the stage that goes on is among them.
  private var current: Int?
  private var since = 0.0

  public init() {}

  /// Ends the stage before, and begins another; nil for none.
  func enter(_ stage: Stage?) {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    let now = Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    if let current { times[current].seconds += now - since }
    current = stage.map { stage in
      times.firstIndex { $0.stage == stage }
        ?? {
          times.append((stage, 0))
          return times.count - 1
        }()
    }
    since = now
  }
}
