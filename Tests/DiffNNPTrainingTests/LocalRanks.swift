import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// Ranks that are threads of one process.
enum LocalRanks {
  /// What `body` gives on each of `count` ranks, or throws there.
  static func run<Value>(
    _ count: Int, _ body: (Ranks) throws -> Value
  ) throws -> [Result<Value, any Error>] {
    let meeting = Meeting(count)
    return try Parallel.map(count, threads: count) { rank in
      let ranks = Ranks(Member(rank: rank, meeting: meeting))
      return Result { try body(ranks) }
    }
  }

  private struct Member: Communicator {
    let rank: Int
    let meeting: Meeting
    var count: Int { meeting.count }

    func unite(_ words: inout [UInt64]) throws { words = meeting.unite(words) }
  }

  /// Where threads wait for each other.
  private final class Meeting: @unchecked Sendable {
    let count: Int
    private var barrier = UnsafeMutablePointer<pthread_barrier_t>.allocate(capacity: 1)
    private var mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var sum: [UInt64] = []

    init(_ count: Int) {
      self.count = count
      pthread_barrier_init(barrier, nil, UInt32(count))
      pthread_mutex_init(mutex, nil)
    }

    deinit {
      pthread_barrier_destroy(barrier)
      pthread_mutex_destroy(mutex)
      barrier.deallocate()
      mutex.deallocate()
    }

    func unite(_ words: [UInt64]) -> [UInt64] {
      pthread_mutex_lock(mutex)
      if sum.isEmpty { sum = words } else { for k in sum.indices { sum[k] |= words[k] } }
      pthread_mutex_unlock(mutex)
      pthread_barrier_wait(barrier)
      let result = sum
      if pthread_barrier_wait(barrier) == PTHREAD_BARRIER_SERIAL_THREAD { sum = [] }
      pthread_barrier_wait(barrier)
      return result
    }
  }
}
