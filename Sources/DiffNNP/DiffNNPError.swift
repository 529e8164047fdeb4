/// A failure explained in one line: what was found, where, what was expected, and what to do.
public struct DiffNNPError: Error, CustomStringConvertible, Sendable {
  public let message: String

  public init(_ message: String) { self.message = message }

  public var description: String { message }
}
