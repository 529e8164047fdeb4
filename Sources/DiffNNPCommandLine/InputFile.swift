import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// Checks of input files, made before those of output files, so that the first fault is reported first.
package enum InputFile {
  /// Checks that files can be read.
  /// - Throws: where one of the files is not there, or may not be read.
  package static func check(_ paths: [String]) throws {
    for path in paths where access(path, R_OK) != 0 {
      throw DiffNNPError("\(path): \(String(cString: strerror(errno)))")
    }
  }
}
