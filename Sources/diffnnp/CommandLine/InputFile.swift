import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// Checks of what is to be read, made before those of what is to be written, so that what is wrong first is said first.
enum InputFile {
  /// - Throws: where one of the files is not there, or may not be read.
  static func check(_ paths: [String]) throws {
    for path in paths where access(path, R_OK) != 0 {
      throw DiffNNPError("\(path): \(String(cString: strerror(errno)))")
    }
  }
}
