import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// Files without a name that end with the process, for data that are too large for memory.
public enum TemporaryFile {
  /// The default directory: that of the environment variable TMPDIR, or /var/tmp, as /tmp may be memory.
  static var directory: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp" }

  /// Opens a new file, whose descriptor the caller closes.
  /// - Throws: where no file can be made in the directory.
  public static func open(in directory: String? = nil) throws -> Int32 {
    let directory = directory ?? self.directory
    var template = Array((directory + "/diffnnp-XXXXXX").utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw failure(in: directory) }
    unlink(template)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    return descriptor
  }

  /// The error for what errno says of a file in the directory.
  public static func failure(in directory: String? = nil) -> DiffNNPError {
    DiffNNPError(
      "\(directory ?? self.directory): \(String(cString: strerror(errno))); long trajectories need a temporary file: name a "
        + "directory that has room with the environment variable TMPDIR")
  }
}
