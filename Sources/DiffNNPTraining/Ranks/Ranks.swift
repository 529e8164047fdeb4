import DiffNNP

/// The processes that train together. All of them read the same frames and make the same decisions. Work items are
/// dealt to them in turn, and each gets the results of all items bit for bit, so that sums over items are those of a
/// single process.
public struct Ranks: Sendable {
  private let communicator: (any Communicator)?

  /// A single process.
  public static let one = Ranks(nil)

  /// The processes that a communicator connects.
  /// - Parameter communicator: nil for a single process.
  public init(_ communicator: (any Communicator)?) { self.communicator = communicator }

  /// Number of processes.
  public var count: Int { communicator?.count ?? 1 }
  /// Number of this process, from 0.
  public var rank: Int { communicator?.rank ?? 0 }
  /// Whether this process is the one that prints and writes.
  public var isFirst: Bool { rank == 0 }

  // MARK: Work

  /// Results of `body` for items 0..<count, in order. Each rank computes some of the items with its threads, and gets
  /// the results of all.
  /// - Throws: what `body` throws for the first item of this rank that fails; `RankFailure` where another rank failed.
  func map<Result: Parcelled>(
    _ count: Int, threads: Int, _ body: (Int) throws -> Result
  ) throws -> [Result] {
    guard self.count > 1 else { return try Parallel.map(count, threads: threads, body) }
    let own = items(of: count)
    let results = try Parallel.map(own.count, threads: threads) { try body(own[$0]) }
    var all = [Result?](repeating: nil, count: count)
    for (rank, results) in try gather(results).enumerated() {
      for (item, result) in zip(items(of: count, rank: rank), results) { all[item] = result }
    }
    return all.map { $0! }
  }

  /// Sums of the results of `body` over groups of `parts` consecutive items, of items 0..<groups · parts, added in the
  /// order of items. Results of several ranks are exchanged and added a few at a time, so that besides the sums there
  /// are never more than two results per thread in memory.
  /// - Throws: as `map`.
  func sums<Sum: Parcelled & Summable>(
    groups: Int, parts: Int, threads: Int, _ body: (Int) throws -> Sum
  ) throws -> [Sum] {
    guard count > 1 else { return try Parallel.sums(groups: groups, parts: parts, threads: threads, body) }
    var sums: [Sum] = []
    let atOnce = count * max(1, threads)
    for first in stride(from: 0, to: groups * parts, by: atOnce) {
      let items = min(atOnce, groups * parts - first)
      for (k, result) in try map(items, threads: threads, { try body(first + $0) }).enumerated() {
        if (first + k) % parts == 0 { sums.append(result) } else { sums[sums.count - 1].add(result) }
      }
    }
    return sums
  }

  /// The items, of `count`, that this rank computes, in order.
  func items(of count: Int) -> [Int] { items(of: count, rank: rank) }

  private func items(of count: Int, rank: Int) -> [Int] { Array(stride(from: rank, to: count, by: self.count)) }

  /// The values of all ranks, in the order of ranks.
  func gather<Value: Parcelled>(_ own: Value) throws -> [Value] {
    guard let communicator else { return [own] }
    var parcel = Parcel()
    own.put(into: &parcel)
    let sizes = try agree(.working, size: parcel.words.count)
    let starts = sizes.reduce(into: [0]) { $0.append($0.last! + $1) }
    var words = [UInt64](repeating: 0, count: starts[count])
    words.replaceSubrange(starts[rank]..<starts[rank + 1], with: parcel.words)
    try communicator.unite(&words)
    return (0..<count).map { rank in
      var parcel = Parcel(words[starts[rank]..<starts[rank + 1]])
      return Value(from: &parcel)
    }
  }

  /// The sum over ranks, the same on all of them.
  func sum(_ own: [Double]) throws -> [Double] {
    var parts = try gather(own).filter { !$0.isEmpty }[...]
    var sum = parts.popFirst() ?? []
    for part in parts { for k in sum.indices { sum[k] += part[k] } }
    return sum
  }

  /// Whether `own` is true on any rank.
  /// - Throws: `RankFailure` where another rank failed.
  public func any(_ own: Bool) throws -> Bool { try gather(own ? 1 : 0).contains(1) }

  // MARK: End of the work

  /// The state that a rank announces.
  private enum State {
    case working, finished
    case failed(RankFailure)

    var word: UInt64 {
      switch self {
      case .working: 0
      case .finished: 1
      case .failed(let failure): 2 + UInt64(UInt32(bitPattern: failure.exitCode))
      }
    }
  }

  /// Ends the work of all ranks. Where one has failed, the others learn of it here, or in the next exchange.
  /// - Parameter failure: that of this rank; nil where it has finished. One of another rank, which all know already, is
  ///   returned as it is.
  /// - Returns: the failure of the first rank that failed.
  public func finish(_ failure: RankFailure?) -> RankFailure? {
    guard communicator != nil, failure?.isForeign != true else { return failure }
    do {
      _ = try agree(failure.map { .failed($0) } ?? .finished, size: failure?.message.utf8.count ?? 0)
      return nil
    } catch let agreed as RankFailure { return agreed } catch { return RankFailure("\(error)", exitCode: 1) }
  }

  /// Announces this rank's state, and returns the size that each rank has announced.
  /// - Throws: the failure of the first rank that failed, on all ranks.
  private func agree(_ state: State, size: Int) throws -> [Int] {
    guard let communicator else { return [size] }
    var words = [UInt64](repeating: 0, count: 2 * count)
    (words[2 * rank], words[2 * rank + 1]) = (state.word, UInt64(size))
    try communicator.unite(&words)
    let (states, sizes) = ((0..<count).map { words[2 * $0] }, (0..<count).map { Int(words[2 * $0 + 1]) })
    if let first = states.firstIndex(where: { $0 >= 2 }) {
      var message = [UInt64](repeating: 0, count: sizes[first])
      if first == rank, case .failed(let failure) = state { message = failure.message.utf8.map { UInt64($0) } }
      try communicator.unite(&message)
      throw RankFailure(
        String(decoding: message.map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self),
        exitCode: Int32(bitPattern: UInt32(states[first] - 2)), isForeign: true)
    }
    guard Set(states).count == 1 else { throw RankFailure("ranks are out of step", exitCode: 1, isForeign: true) }
    return sizes
  }
}

/// The error of a rank that cannot continue.
public struct RankFailure: Error, Equatable {
  /// What went wrong, in one line.
  public let message: String
  /// Exit code of the process.
  public let exitCode: Int32
  /// Whether all ranks know of it already.
  let isForeign: Bool

  /// A failure of this rank.
  public init(_ message: String, exitCode: Int32) { self.init(message, exitCode: exitCode, isForeign: false) }

  init(_ message: String, exitCode: Int32, isForeign: Bool) {
    (self.message, self.exitCode, self.isForeign) = (message, exitCode, isForeign)
  }
}
