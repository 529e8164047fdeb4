import DiffNNP

/// Memory for the matrices of a fit. They are dense, and their size grows with the square of the number of functions,
/// which itself grows with the cube of the number of types.
enum MatrixMemory {
  /// Number of matrices in memory at once: for each objective one per block of time, their sum, and three per thread,
  /// which sums over some frames of a block, has one result that waits, or solves for a prior.
  static func matrices(objectives: Int, blocks: Int, threads: Int) -> Int { objectives * blocks + 1 + 3 * threads }

  /// - Parameters:
  ///   - functions: their number.
  ///   - description: how that number comes about.
  ///   - available: memory that is free (bytes); nil where this is not known.
  /// - Throws: where the matrices do not fit.
  static func check(
    functions: Int, _ description: String, objectives: Int, blocks: Int, threads: Int,
    available: Int? = SystemMemory.available
  ) throws {
    let (size, count) = (8 * functions * functions, matrices(objectives: objectives, blocks: blocks, threads: threads))
    guard let available, size * count > available else { return }
    throw DiffNNPError(
      "\(functions) functions (\(description)) need \(count) matrices of \(gigabytes(size)) GB (\(objectives * blocks) for "
        + "blocks of time, their sum, and 3 for each of \(threads) threads), \(gigabytes(size * count)) GB in all, and \(gigabytes(available)) GB are free; "
        + "give fewer triplets.intervals or a smaller triplets.l_max, triplets: false, a larger pair.spacing, or fewer threads"
    )
  }

  private static func gigabytes(_ bytes: Int) -> Double { (Double(bytes) / 1e8).rounded() / 10 }
}

/// The memory of this machine that is available to this process.
enum SystemMemory {
  /// Free memory (bytes), or what its control group leaves where that is less; nil where the system does not say.
  static var available: Int? {
    let limits = [machine, group].compactMap { $0 }
    return limits.min()
  }

  private static var machine: Int? {
    guard let lines = try? FileIO.read("/proc/meminfo") else { return nil }
    let line = String(decoding: lines, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
    return line.flatMap { Int($0.split(separator: " ")[1]) }.map { 1024 * $0 }
  }

  private static var group: Int? {
    func number(_ name: String) -> Int? {
      guard let bytes = try? FileIO.read("/sys/fs/cgroup/\(name)") else { return nil }
      return Int(String(decoding: bytes, as: UTF8.self).split(separator: "\n").first ?? "")
    }
    guard let limit = number("memory.max"), let used = number("memory.current") else { return nil }
    return max(0, limit - used)
  }
}
