/// The connection of several processes that work on one training, each of which runs the complete program with its own
/// number: its rank.
public protocol Communicator: Sendable {
  /// Number of this process, from 0.
  var rank: Int { get }
  /// Number of processes.
  var count: Int { get }
  /// Replaces words by the bitwise OR of those of all processes. Every process must make the call, with the same number
  /// of words; none returns before all have made it.
  /// - Throws: where the processes cannot communicate.
  func unite(_ words: inout [UInt64]) throws
}
