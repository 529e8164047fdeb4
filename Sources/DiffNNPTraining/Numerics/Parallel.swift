import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// Work that threads share. Each item is done by one thread from start to end, and writes only its own result, so that
/// results do not depend on the number of threads.
public enum Parallel {
  /// Number of processors of this machine.
  public static var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  /// Number of processors that this process may use: a launcher or a queue may have bound it to some.
  public static var usableProcessorCount: Int {
    guard let status = try? FileIO.read("/proc/self/status") else { return processorCount }
    let lines = String(decoding: status, as: UTF8.self).split(separator: "\n")
    let mask = lines.first { $0.hasPrefix("Cpus_allowed:") } ?? ""
    let bits = mask.dropFirst("Cpus_allowed:".count).compactMap(\.hexDigitValue).reduce(0) { $0 + $1.nonzeroBitCount }
    return bits > 0 ? bits : processorCount
  }

  /// Results of `body` for items 0..<count, in order. Items are handed out in order to whichever thread is free.
  /// - Throws: the error of the first item (by number) that failed.
  public static func map<Result>(
    _ count: Int, threads: Int, _ body: (Int) throws -> Result
  ) throws -> [Result] {
    try withoutActuallyEscaping(body) { body in
      let pool = Pool(count: count, body: body)
      run(pool, threads: min(threads, count))
      return try pool.results.map { try $0!.get() }
    }
  }

  /// Sums of the results of `body` over groups of `parts` consecutive items, of items 0..<groups · parts. Results are
  /// added in the order of items, as soon as they are there, so that besides the sums there are never more than two
  /// results per thread.
  /// - Throws: the error of the first item (by number) that failed.
  static func sums<Sum: Summable>(
    groups: Int, parts: Int, threads: Int, _ body: (Int) throws -> Sum
  ) throws -> [Sum] {
    try withoutActuallyEscaping(body) { body in
      let threads = max(1, min(threads, groups * parts))
      let pool = SummingPool(groups: groups, parts: parts, capacity: threads, body: body)
      run(pool, threads: threads)
      if let failure = pool.failure { throw failure }
      return pool.sums.map { $0! }
    }
  }

  private static func run(_ pool: AnyPool, threads: Int) {
    var handles: [pthread_t] = []
    for _ in 1..<max(1, threads) {
      var handle = pthread_t()
      let retained = Unmanaged.passRetained(pool)
      let status = pthread_create(
        &handle, nil,
        { pointer in
          Unmanaged<AnyPool>.fromOpaque(pointer!).takeRetainedValue().work()
          return nil
        }, retained.toOpaque())
      // Where no other thread can be started, those that run do its work.
      if status == 0 { handles.append(handle) } else { retained.release() }
    }
    pool.work()
    for handle in handles { pthread_join(handle, nil) }
  }
}

/// Values that can be added up.
protocol Summable {
  mutating func add(_ other: Self)
}

private class AnyPool {
  func work() {}
}

private final class Pool<Output>: AnyPool {
  var results: [Result<Output, any Error>?]
  private let body: (Int) throws -> Output
  private var next = 0
  private let lock = Lock()

  init(count: Int, body: @escaping (Int) throws -> Output) {
    results = Array(repeating: nil, count: count)
    self.body = body
    super.init()
  }

  override func work() {
    while let item = take() {
      let result = Result { try body(item) }
      lock.locked { results[item] = result }
    }
  }

  private func take() -> Int? {
    lock.locked {
      guard next < results.count else { return nil }
      next += 1
      return next - 1
    }
  }
}

private final class SummingPool<Sum: Summable>: AnyPool {
  /// The sum of each group, over the items added so far.
  var sums: [Sum?]
  /// The error of the first item that failed.
  var failure: (any Error)?
  private let (parts, capacity): (Int, Int)
  private let body: (Int) throws -> Sum
  private var next = 0
  /// The first item that is not yet in its sum, and results of later ones.
  private var wanted = 0
  private var waiting: [Int: Result<Sum, any Error>] = [:]
  private let lock = Lock()

  /// - Parameter capacity: how many results may wait.
  init(groups: Int, parts: Int, capacity: Int, body: @escaping (Int) throws -> Sum) {
    sums = Array(repeating: nil, count: groups)
    (self.parts, self.capacity, self.body) = (parts, capacity, body)
    super.init()
  }

  override func work() {
    while let item = take() {
      let result = Result { try body(item) }
      lock.locked {
        waiting[item] = result
        addThoseInOrder()
        lock.signalAll()
      }
    }
  }

  /// The next item, once there is capacity for its result. The item wanted first is always in work already.
  private func take() -> Int? {
    lock.locked {
      while waiting.count >= capacity { lock.wait() }
      guard next < sums.count * parts else { return nil }
      next += 1
      return next - 1
    }
  }

  private func addThoseInOrder() {
    while let result = waiting.removeValue(forKey: wanted) {
      let group = wanted / parts
      wanted += 1
      switch result {
      case .failure(let error): if failure == nil { failure = error }
      case .success(let sum): if sums[group] == nil { sums[group] = sum } else { sums[group]!.add(sum) }
      }
    }
  }
}

/// A mutex and a condition, at addresses that do not change.
final class Lock: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  init() {
    mutex = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    condition = .allocate(capacity: 1)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
    pthread_cond_destroy(condition)
    condition.deallocate()
  }

  /// Releases the lock, which the caller holds, until another thread signals.
  func wait() { pthread_cond_wait(condition, mutex) }

  func signalAll() { pthread_cond_broadcast(condition) }

  func locked<Value>(_ body: () -> Value) -> Value {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }
}
