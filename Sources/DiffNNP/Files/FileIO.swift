#if canImport(Glibc)
  import Glibc
#endif

/// Reading and writing of files in one piece, with errors that name the file and the reason.
public enum FileIO {
  /// Most bytes that are read of one file: no file that is read in one piece has more. A stream (pipe, terminal) has a
  /// lower limit, because its end is not known and may never come.
  private static let largest = (file: 1 << 30, stream: 1 << 26)

  /// The contents of a file.
  /// - Throws: where the file cannot be read, or is larger than any file that is read in one piece.
  public static func read(_ path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(path) }
    let limit = status.st_mode & S_IFMT == S_IFREG ? largest.file : largest.stream
    let tooLarge = DiffNNPError("\(path): it has more than \(limit >> 20) MiB; expected a smaller file")
    guard status.st_size <= limit else { throw tooLarge }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Int(clamping: status.st_size))
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    defer { chunk.deallocate() }
    while true {
      let count = Glibc.read(descriptor, chunk.baseAddress, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw failure(path) }
      if count == 0 { return bytes }
      guard bytes.count + count <= limit else { throw tooLarge }
      bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[..<count]))
    }
  }

  /// Replaces a file, or makes it: see `ReplacementFile`.
  /// - Throws: where the file cannot be written, with its name and the system's reason; the old file is then as it was.
  public static func write(_ bytes: some Collection<UInt8>, to path: String) throws {
    let file = try ReplacementFile(path)
    try file.write(bytes)
    try file.commit()
  }

  /// Writes all of some bytes to an open file.
  /// - Parameter failure: makes the error from the system's reason, for instance that the disk is full.
  /// - Throws: what `failure` makes.
  public static func write(
    _ bytes: [UInt8], to descriptor: Int32, orThrow failure: (_ reason: String) -> DiffNNPError
  ) throws {
    try bytes.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count {
        let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        if count < 0 && errno == EINTR { continue }
        // Trying again for ever would not help where nothing is written.
        guard count > 0 else { throw failure(count < 0 ? String(cString: strerror(errno)) : "nothing was written") }
        done += count
      }
    }
  }

  static func failure(_ path: String) -> DiffNNPError { DiffNNPError("\(path): \(String(cString: strerror(errno)))") }
}

/// Writes a file beside the one it is to replace, and renames it when all of it is on disk: whatever happens
/// in between, the old file stays as it was. What is not a regular file (a pipe, a terminal) is written directly.
public final class ReplacementFile {
  private let path: String
  /// nil where the file is written directly.
  private var temporary: String?
  private var descriptor: Int32
  private var pending: [UInt8] = []
  private static let bufferSize = 1 << 16

  /// Opens a temporary file beside `path`, or `path` itself where that is not a regular file.
  /// - Throws: where the file cannot be opened or made, with its name and the system's reason.
  public init(_ path: String) throws {
    self.path = path
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      descriptor = open(path, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw FileIO.failure(path) }
      return
    }
    var template = Array((path + ".XXXXXX").utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw FileIO.failure(path) }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // mkstemp makes files for their owner alone; this one gets the rights of any new file.
    let mask = umask(0)
    umask(mask)
    fchmod(descriptor, 0o666 & ~mask)
  }

  /// Without `commit`, nothing remains.
  deinit {
    if descriptor >= 0 { close(descriptor) }
    if let temporary { unlink(temporary) }
  }

  /// Appends bytes to the new contents.
  /// - Throws: where the file cannot be written, with its name and the system's reason.
  public func write(_ bytes: some Collection<UInt8>) throws {
    pending.append(contentsOf: bytes)
    if pending.count >= Self.bufferSize { try flush() }
  }

  /// Appends text to the new contents, as UTF-8.
  /// - Throws: where the file cannot be written, with its name and the system's reason.
  public func write(_ text: String) throws { try write(text.utf8) }

  /// Makes what was written the file at `path`. Nothing can be written afterwards.
  /// - Throws: where the file cannot be written or renamed, with its name and the system's reason; the old file is then
  ///   as it was.
  public func commit() throws {
    try flush()
    if let temporary {
      guard fsync(descriptor) == 0 else { throw FileIO.failure(path) }
      guard rename(temporary, path) == 0 else { throw FileIO.failure(path) }
      self.temporary = nil
    }
    let status = close(descriptor)
    descriptor = -1
    guard status == 0 else { throw FileIO.failure(path) }
  }

  private func flush() throws {
    try FileIO.write(pending, to: descriptor) { DiffNNPError("\(path): \($0)") }
    pending.removeAll(keepingCapacity: true)
  }
}
