#if canImport(Glibc)
  import Glibc
#endif

/// Seconds since an arbitrary moment, by a clock that is never set back.
package func monotonicSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
}
