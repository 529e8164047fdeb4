/// A failure explained in one line: what was found, where, what was expected, and what to do.
public struct DiffNNPError: Error, CustomStringConvertible, Sendable {
  /// The explanation, in one line.
  public let message: String

  /// Makes an error of an explanation in one line.
  public init(_ message: String) { self.message = message }

  public var description: String { message }
}

/// Calls `body`, and prefixes the message of a `DiffNNPError` that it throws with what it is about, such as the name of
/// the file that frames come from.
/// - Throws: what `body` throws; a `DiffNNPError` with the prefix `source` before its message.
public func naming<Result>(_ source: String, _ body: () throws -> Result) throws -> Result {
  do { return try body() } catch let error as DiffNNPError {
    throw DiffNNPError("\(source): \(error.message)")
  }
}
