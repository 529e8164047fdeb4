import DiffNNP

/// A verb of the command line.
protocol Command {
  static var name: String { get }
  /// One line for the list of verbs.
  static var summary: String { get }
  /// The whole of `diffnnp <verb> --help`.
  static var help: String { get }
  /// Runs the verb with the arguments behind its name.
  /// - Throws: `DiffNNPError`; its message becomes the one line on standard error, and the exit code 1.
  static func run(_ arguments: [String]) throws
}
