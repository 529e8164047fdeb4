import DiffNNP

/// Puts a place, such as the name of the file that frames come from, before errors that do not know it.
func naming<Result>(_ place: String, _ body: () throws -> Result) throws -> Result {
  do { return try body() } catch let error as DiffNNPError {
    throw DiffNNPError("\(place): \(error.message)")
  }
}
