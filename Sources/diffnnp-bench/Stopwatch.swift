#if canImport(Glibc)
  import Glibc
#endif

/// Repeats a measurement for a given time.
struct Stopwatch {
  var seconds: Double
  /// Least number of repetitions.
  var fewest: Int
  /// Whether elapsed time is measured, because several threads are at work; otherwise the thread's processor time,
  /// which other programs disturb little.
  var usesWallClock = false

  /// Times (s) of `body`, after a first call that is not counted, in which buffers grow.
  func measure(_ body: () throws -> Void) rethrows -> [Double] {
    try body()
    var times: [Double] = []
    let start = now()
    var last = start
    while times.count < fewest || last - start < seconds {
      try body()
      let end = now()
      times.append(end - last)
      last = end
    }
    return times
  }

  private func now() -> Double {
    var time = timespec()
    clock_gettime(usesWallClock ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
  }
}

/// Median and quartiles of a sample, interpolated between its elements.
struct Quartiles {
  let lower: Double
  let median: Double
  let upper: Double

  init(_ sample: [Double]) {
    let sorted = sample.sorted()
    func quantile(_ q: Double) -> Double {
      let position = q * Double(sorted.count - 1)
      let k = Int(position)
      let next = min(k + 1, sorted.count - 1)
      return sorted[k] + (position - Double(k)) * (sorted[next] - sorted[k])
    }
    lower = quantile(0.25)
    median = quantile(0.5)
    upper = quantile(0.75)
  }
}
