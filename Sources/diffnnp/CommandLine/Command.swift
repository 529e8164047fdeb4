import DiffNNPCommandLine

/// A verb of the command line.
protocol Command {
  static var syntax: Syntax { get }
  /// Runs the verb.
  /// - Throws: `DiffNNPError`, whose message becomes the one line on standard error, with exit code 1; `UsageError`, for
  ///   what cannot be meant, with exit code 2.
  static func run(_ arguments: Arguments) throws
}
