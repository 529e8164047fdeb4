#if canImport(Glibc)
  import Glibc
#endif

/// Where the time of an evaluator goes. Give it to `Evaluator.clock`; without one, no time is taken.
public final class StageClock {
  public enum Stage: Int, CaseIterable, Sendable {
    /// Edges of pairs and triplets, where they are found block by block.
    case edges
    /// The pair term.
    case pair
    /// The triplets.
    case triplets
    /// Edges within the network's cutoff, their directions, harmonics and places in the tables.
    case geometry
    /// Radial tables and tensor products, forward.
    case messages
    /// Linear maps, activations and readout, forward.
    case features
    /// As `messages`, on the way back, to forces and virials.
    case messagesBackward
    /// As `features`, on the way back.
    case featuresBackward
  }

  /// Time of the thread in each stage (s), in the order of `Stage.allCases`.
  public private(set) var seconds = [Double](repeating: 0, count: Stage.allCases.count)
  private var current: Stage?
  private var since = 0.0

  public init() {}

  /// Ends the stage before, and begins another; nil for none.
  func enter(_ stage: Stage?) {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    let now = Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    if let current { seconds[current.rawValue] += now - since }
    current = stage
    since = now
  }
}
