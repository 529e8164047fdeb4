import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// Work shared by threads. Each item of work is done by one thread from start to end and writes only its own result,
/// so that results do not depend on the number of threads.
public enum Parallel {
  /// Processors of this machine.
  public static var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  /// Those that this process may use: a launcher or a queue may have bound it to some.
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
      var handles: [pthread_t] = []
      for _ in 1..<max(1, min(threads, count)) {
        var handle = pthread_t()
        let retained = Unmanaged.passRetained(pool as AnyPool)
        let status = pthread_create(
          &handle, nil,
          { pointer in
            Unmanaged<AnyPool>.fromOpaque(pointer!).takeRetainedValue().work()
            return nil
          }, retained.toOpaque())
        // Without another thread, those there are do the work.
        if status == 0 { handles.append(handle) } else { retained.release() }
      }
      pool.work()
      for handle in handles { pthread_join(handle, nil) }
      return try pool.results.map { try $0!.get() }
    }
  }
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

/// A mutex at an address of its own.
final class Lock: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>

  init() {
    mutex = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  func locked<Value>(_ body: () -> Value) -> Value {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }
}
