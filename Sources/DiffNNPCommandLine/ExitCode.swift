import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// The error of a command line that cannot be understood.
public struct UsageError: Error {
  /// What is wrong, and what was expected, in one line.
  public let message: String

  /// An error with its message, in one line.
  public init(_ message: String) { self.message = message }
}

/// The error that ends work which the user interrupted, and which can be continued.
public struct Interrupted: Error {
  /// Where the work stopped, and how to continue, in one line.
  public let message: String

  /// An interruption with its message, in one line.
  public init(_ message: String) { self.message = message }
}

/// Runs a program, prints what it throws as one line on standard error, and returns the exit code: 0, 1 where it
/// failed, 2 where the command line cannot be understood, or 130 where the user interrupted it, as shells return after
/// SIGINT.
public func exitCode(program: String, _ body: () throws -> Void) -> Int32 {
  do {
    try body()
    guard fflush(stdout) == 0 else {
      throw DiffNNPError("standard output: \(String(cString: strerror(errno)))")
    }
    return 0
  } catch {
    let (code, message) = verdict(on: error)
    complain(program, message)
    return code
  }
}

/// The exit code that belongs to an error, and the message for it.
public func verdict(on error: any Error) -> (exitCode: Int32, message: String) {
  switch error {
  case let error as UsageError: (2, "error: \(error.message)")
  case let interruption as Interrupted: (130, interruption.message)
  default: (1, "error: \(error)")
  }
}

/// Prints a message on standard error, in one line whatever file names and file contents are quoted in it.
public func complain(_ program: String, _ message: String) {
  let line = String(
    String.UnicodeScalarView(message.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
  fputs("\(program): \(line)\n", stderr)
}
