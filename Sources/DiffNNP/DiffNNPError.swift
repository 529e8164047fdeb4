/// A failure explained in one line: what was found, where, what was expected, and what to do.
public struct DiffNNPError: Error, CustomStringConvertible, Sendable {
  public let message: String

  public init(_ message: String) { self.message = message }

  public var description: String { message }
}

/// Puts a place, such as the name of the file that frames come from, before errors that do not know it.
public func naming<Result>(_ place: String, _ body: () throws -> Result) throws -> Result {
  do { return try body() } catch let error as DiffNNPError {
    throw DiffNNPError("\(place): \(error.message)")
  }
}
