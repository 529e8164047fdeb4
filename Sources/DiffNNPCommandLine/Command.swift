import DiffNNPTraining

/// A verb of the command line.
package protocol Command {
  static var syntax: Syntax { get }
  /// Runs the verb.
  /// - Throws: `DiffNNPError`, whose message becomes the one line on standard error, with exit code 1; `UsageError`,
  ///   for arguments that are not valid, with exit code 2.
  static func run(_ arguments: Arguments) throws
}

/// A verb that several processes can work on together.
package protocol ParallelCommand: Command {
  /// Runs the verb in one of several processes that `mpirun` has started.
  static func run(_ arguments: Arguments, on ranks: Ranks) throws
}

extension ParallelCommand {
  package static func run(_ arguments: Arguments) throws { try run(arguments, on: .one) }
}
