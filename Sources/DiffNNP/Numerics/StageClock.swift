#if canImport(Glibc)
  import Glibc
#endif

/// Measures how an evaluator spends its time. Give it to `Evaluator.clock`; without one, no time is taken.
public final class StageClock {
  /// A stage of the work; each term has stages of its own.
  public struct Stage: Equatable, Sendable {
    /// Name in reports.
    public let name: String

    /// Edges, where they are found block by block.
    static let edges = Self(name: "edges")
  }

  /// Time of the thread in each stage (s), in the order in which they came first.
  public private(set) var times: [(stage: Stage, seconds: Double)] = []
  /// Index in `times` of the stage that is going on; nil for none.
  private var current: Int?
  private var since = 0.0

  /// A clock that has not run yet.
  public init() {}

  /// Ends the stage that is going on, and begins another; nil for none.
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
