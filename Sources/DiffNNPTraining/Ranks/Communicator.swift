/// The connection of several processes that work on one training, each of which runs the complete program with its own
/// number: its rank.
public protocol Communicator: Sendable {
  /// Number of this process, from 0.
  var rank: Int { get }
  /// Number of processes.
  var count: Int { get }
  /// Replaces words by the bitwise or of those of all processes. All make the call, with as many words; none returns
  /// before all have made it.
  /// - Throws: where the processes cannot communicate.
  func unite(_ words: inout [UInt64]) throws
}
