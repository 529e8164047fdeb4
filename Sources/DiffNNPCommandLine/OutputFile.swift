import DiffNNP
import DiffNNPAnalysis

#if canImport(Glibc)
  import Glibc
#endif

/// Checks of output files, made before the work whose results they are to hold.
package enum OutputFile {
  /// Checks that a file can be written.
  /// - Parameters:
  ///   - inputs: files that the command reads; the output must not replace one of them.
  ///   - mayStream: whether the output may be a pipe or a terminal (/dev/stdout), for text that another program may
  ///     read.
  /// - Throws: where no file can be written at `path`.
  package static func check(_ path: String, inputs: [String], mayStream: Bool = false) throws {
    try checkName(path)
    guard let status = status(path) else {
      _ = try ReplacementFile(path)
      return
    }
    for input in inputs {
      guard let other = self.status(input), isSame(status, other) else { continue }
      throw DiffNNPError("\(path): the output would replace the input \(input); give it another name")
    }
    let kind = status.st_mode & S_IFMT
    guard kind != S_IFDIR else {
      throw DiffNNPError("\(path): Is a directory; expected the name of a file to write")
    }
    if kind == S_IFREG {
      try checkStreams(path, status)
      _ = try ReplacementFile(path)
    } else {
      // Opening a pipe without writing would end it for its reader, so that it is opened only when it is written.
      guard mayStream else {
        throw DiffNNPError("\(path): a device or a pipe; expected the name of a file to write")
      }
    }
  }

  /// Checks that outputs have different names.
  /// - Throws: where two outputs have one name.
  package static func checkDiffer(_ paths: [String]) throws {
    if let twice = paths.firstTwice { throw UsageError("\(twice) is the name of two outputs; give each its own") }
  }

  /// Checks a directory that may still have to be made.
  /// - Throws: where `path` is there, and is no directory that files can be made in.
  package static func checkDirectory(_ path: String) throws {
    try checkName(path)
    guard let status = status(path) else { return }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw DiffNNPError("\(path): a file; expected the name of a directory, which is made where it is missing")
    }
    guard access(path, W_OK | X_OK) == 0 else { throw DiffNNPError("\(path): \(String(cString: strerror(errno)))") }
  }

  private static func checkName(_ path: String) throws {
    if path.isEmpty { throw UsageError("the name of the output is empty") }
  }

  /// Refuses a file that standard output or error is redirected to: what is printed into it would be lost when the file
  /// is replaced.
  private static func checkStreams(_ path: String, _ status: stat) throws {
    for descriptor in [STDOUT_FILENO, STDERR_FILENO] {
      var stream = stat()
      guard fstat(descriptor, &stream) == 0, isSame(status, stream) else { continue }
      throw DiffNNPError("\(path): the output would replace the file that messages go to; give it another name")
    }
  }

  private static func isSame(_ a: stat, _ b: stat) -> Bool { a.st_dev == b.st_dev && a.st_ino == b.st_ino }

  private static func status(_ path: String) -> stat? {
    var status = stat()
    return stat(path, &status) == 0 ? status : nil
  }
}
