import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// Files without a name that go with the process, for what is too long for memory.
public enum TemporaryFile {
  /// A place on disk: that of the environment's TMPDIR, or /var/tmp, as /tmp may be memory.
  static var directory: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp" }

  /// The descriptor of a new one, which the caller closes.
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

  /// What errno says of a file in the directory.
  public static func failure(in directory: String? = nil) -> DiffNNPError {
    DiffNNPError(
      "\(directory ?? self.directory): \(String(cString: strerror(errno))); long trajectories need a temporary file: name a "
        + "directory that has room with the environment variable TMPDIR")
  }
}
