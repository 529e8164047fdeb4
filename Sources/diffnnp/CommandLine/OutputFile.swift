import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// Checks of files to be written, made before the work whose result they are to hold.
enum OutputFile {
  /// - Parameter inputs: files the command reads; the output must not take the place of one.
  /// - Throws: where no file can be written at `path`.
  static func check(_ path: String, inputs: [String]) throws {
    guard let status = status(path) else {
      _ = try ReplacementFile(path)
      return
    }
    for input in inputs {
      guard let other = self.status(input) else { continue }
      guard status.st_dev != other.st_dev || status.st_ino != other.st_ino else {
        throw DiffNNPError("\(path): the output would replace the input \(input); give it another name")
      }
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: _ = try ReplacementFile(path)
    case S_IFDIR: throw DiffNNPError("\(path): Is a directory; expected the name of a file to write")
    default: break  // Opening a pipe without writing would end it for its reader.
    }
  }

  private static func status(_ path: String) -> stat? {
    var status = stat()
    return stat(path, &status) == 0 ? status : nil
  }
}
