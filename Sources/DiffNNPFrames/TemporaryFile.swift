import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// A file without a name that ends with its last user: for data that are too large for memory, or that pass to another
/// program and back.
public final class TemporaryFile: Sendable {
  /// The open file, for reading and writing.
  public let descriptor: Int32
  private let directory: String

  /// The default directory: that of the environment variable TMPDIR, or /var/tmp, as /tmp may be memory.
  private static var directory: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp" }

  /// Makes a new file.
  /// - Parameter directory: where; by default that of the environment variable TMPDIR, or /var/tmp.
  /// - Throws: where no file can be made in the directory.
  public init(in directory: String? = nil) throws {
    self.directory = directory ?? Self.directory
    var template = Array((self.directory + "/diffnnp-XXXXXX").utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw Self.failure("make", in: self.directory) }
    unlink(template)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  deinit { close(descriptor) }

  /// The error for a file in the directory.
  /// - Parameters:
  ///   - verb: what cannot be done.
  ///   - reason: why; by default what errno says.
  private static func failure(
    _ verb: String, in directory: String, reason: String = String(cString: strerror(errno))
  ) -> DiffNNPError {
    DiffNNPError(
      "\(directory): cannot \(verb) a temporary file: \(reason); name a directory that has room with the "
        + "environment variable TMPDIR")
  }

  /// Writes bytes behind those written before.
  /// - Throws: where they cannot be written, because the disk is full for instance.
  public func write(_ bytes: [UInt8]) throws {
    try FileIO.write(bytes, to: descriptor) { Self.failure("write", in: directory, reason: $0) }
  }

  /// Goes back to the beginning of the file, for another program that reads it.
  /// - Throws: where the system refuses.
  public func rewind() throws {
    guard lseek(descriptor, 0, SEEK_SET) == 0 else { throw Self.failure("read", in: directory) }
  }

  /// Reads as many bytes as there is room for, from an offset on; from any thread.
  /// - Throws: where there are fewer, or they cannot be read.
  public func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < bytes.count {
      let count = pread(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw Self.failure("read", in: directory) }
      guard count > 0 else { throw Self.failure("read", in: directory, reason: "it has become shorter") }
      done += count
    }
  }

  /// All that is in the file.
  /// - Throws: where it cannot be read.
  public func contents() throws -> [UInt8] {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Self.failure("read", in: directory) }
    let size = Int(status.st_size)
    return try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      try read(into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: size), at: 0)
      count = size
    }
  }
}
