#if canImport(Glibc)
  import Glibc
#endif

/// Work that threads share: each does its share of it.
protocol SharedWork: AnyObject {
  func perform(share: Int)
}

/// Threads that wait for work, and do it together with the thread that asks. They end with the team.
final class ThreadTeam {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let called = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let finished = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var threads: [pthread_t] = []
  // Guarded by the mutex.
  private var started = 0
  private var call = 0
  private var atWork = 0
  private var ends = false
  private unowned(unsafe) var work: (any SharedWork)?

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
    pthread_mutex_lock(mutex)
    ends = true
    pthread_cond_broadcast(called)
    pthread_mutex_unlock(mutex)
    for thread in threads { pthread_join(thread, nil) }
    pthread_cond_destroy(called)
    pthread_cond_destroy(finished)
    pthread_mutex_destroy(mutex)
    called.deallocate()
    finished.deallocate()
    mutex.deallocate()
  }

  /// Shares of the work.
  var count: Int { threads.count + 1 }

  /// Returns when all shares, 0..<count, are done.
  func run(_ work: any SharedWork) {
    pthread_mutex_lock(mutex)
    self.work = work
    call += 1
    atWork = threads.count
    pthread_cond_broadcast(called)
    pthread_mutex_unlock(mutex)
    work.perform(share: 0)
    pthread_mutex_lock(mutex)
    while atWork > 0 { pthread_cond_wait(finished, mutex) }
    self.work = nil
    pthread_mutex_unlock(mutex)
  }

  private func serve() {
    pthread_mutex_lock(mutex)
    started += 1
    let share = started
    var last = 0
    while true {
      while call == last && !ends { pthread_cond_wait(called, mutex) }
      if ends { break }
      last = call
      let work = self.work
      pthread_mutex_unlock(mutex)
      work?.perform(share: share)
      pthread_mutex_lock(mutex)
      atWork -= 1
      if atWork == 0 { pthread_cond_signal(finished) }
    }
    pthread_mutex_unlock(mutex)
  }
}
