import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Work that is split into shares, one for each thread of a `ThreadTeam`.
protocol SharedWork: AnyObject {
  func perform(share: Int)
}

/// How work on atoms is dealt out to threads.
enum Shares {
  /// Fewest atoms of a share: fewer are not worth waking a thread.
  private static let fewestAtoms = 64

  /// Number of shares: one for each thread, as long as each has some atoms.
  static func count(atoms: Int, threads: Int) -> Int { max(1, min(threads, atoms / fewestAtoms)) }

  /// Shares have a multiple of so many centres, because that many go through a layer together.
  static let blockSize = 16

  /// The consecutive centres of a share: a multiple of `blockSize`, except for the last share.
  @inline(__always)
  static func centres(_ count: Int, ofShare share: Int, among shareCount: Int) -> Range<Int> {
    let blocks = items((count + blockSize - 1) / blockSize, ofShare: share, among: shareCount)
    return blocks.lowerBound * blockSize..<min(blocks.upperBound * blockSize, count)
  }

  /// The consecutive items of a share.
  @inline(__always)
  static func items(_ count: Int, ofShare share: Int, among shareCount: Int) -> Range<Int> {
    count * share / shareCount..<count * (share + 1) / shareCount
  }
}

/// Threads that wait for work, and do it together with the thread that asks. They end with the team.
///
/// A step of dynamics is many pieces of work, one soon after the other, and to wake a thread takes longer than some of
/// them. So a thread that waits spins for a while before it sleeps.
public final class ThreadTeam {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let called = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let finished = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var threads: [pthread_t] = []
  /// Counts calls for work; conditions are signalled with the mutex held, after it or `atWork` has changed.
  private let call = Atomic<Int>(0)
  /// Number of threads that have not finished their share.
  private let atWork = Atomic<Int>(0)
  private let ends = Atomic<Bool>(false)
  private let started = Atomic<Int>(0)
  // Set before a call.
  private unowned(unsafe) var work: (any SharedWork)?

  /// How long a waiting thread spins before it sleeps (s).
  private static let patience = 1e-4

  /// - Parameter count: of threads, the one that asks included. There are fewer where the system has no more.
  init(count: Int) {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(called, nil)
    pthread_cond_init(finished, nil)
    for _ in 1..<max(1, count) {
      var thread = pthread_t()
      let status = pthread_create(
        &thread, nil,
        {
          Unmanaged<ThreadTeam>.fromOpaque($0!)._withUnsafeGuaranteedRef { $0.serve() }
          return nil
        }, Unmanaged.passUnretained(self).toOpaque())
      if status == 0 { threads.append(thread) }
    }
  }

  deinit {
    ends.store(true, ordering: .releasing)
    signal(called)
    for thread in threads { pthread_join(thread, nil) }
    pthread_cond_destroy(called)
    pthread_cond_destroy(finished)
    pthread_mutex_destroy(mutex)
    called.deallocate()
    finished.deallocate()
    mutex.deallocate()
  }

  /// Number of shares: threads of the team, the one that asks included.
  var count: Int { threads.count + 1 }

  /// Returns when all shares, 0..<count, are done.
  func run(_ work: any SharedWork) {
    self.work = work
    atWork.store(threads.count, ordering: .relaxed)
    call.add(1, ordering: .releasing)
    signal(called)
    work.perform(share: 0)
    wait(for: finished) { atWork.load(ordering: .acquiring) == 0 }
    self.work = nil
  }

  private func serve() {
    let share = started.add(1, ordering: .relaxed).newValue
    var last = 0
    while true {
      wait(for: called) { call.load(ordering: .acquiring) != last || ends.load(ordering: .acquiring) }
      if ends.load(ordering: .acquiring) { return }
      last += 1
      work?.perform(share: share)
      if atWork.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { signal(finished) }
    }
  }

  /// Returns when a condition holds: spins for a while, then sleeps until it is signalled.
  @inline(__always)
  private func wait(for condition: UnsafeMutablePointer<pthread_cond_t>, until isSo: () -> Bool) {
    let end = Self.now() + Self.patience
    while !isSo() {
      guard Self.now() > end else { continue }
      pthread_mutex_lock(mutex)
      while !isSo() { pthread_cond_wait(condition, mutex) }
      pthread_mutex_unlock(mutex)
      return
    }
  }

  /// Signals with the mutex held, so that no thread falls asleep between its check and its sleep.
  private func signal(_ condition: UnsafeMutablePointer<pthread_cond_t>) {
    pthread_mutex_lock(mutex)
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }

  @inline(__always)
  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
  }
}
