import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// Text that is printed once it is complete. Long text is kept in a temporary file without a name until then, so that
/// it needs little memory.
final class SpooledText {
  private var pending: [UInt8] = []
  private var descriptor: Int32 = -1
  private static let bufferSize = 1 << 20

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// - Throws: where the temporary file cannot be written.
  func write(_ text: String) throws {
    pending.append(contentsOf: text.utf8)
    if pending.count >= Self.bufferSize { try flush() }
  }

  private func flush() throws {
    if descriptor < 0 { descriptor = try TemporaryFile.open() }
    var done = 0
    while done < pending.count {
      let count = pending.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done) }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw TemporaryFile.failure() }
      done += count
    }
    pending.removeAll(keepingCapacity: true)
  }

  /// Prints all that was written.
  /// - Throws: where the temporary file cannot be read.
  func print() throws {
    if descriptor >= 0 {
      var buffer = [UInt8](repeating: 0, count: Self.bufferSize)
      guard lseek(descriptor, 0, SEEK_SET) == 0 else { throw TemporaryFile.failure() }
      while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw TemporaryFile.failure() }
        if count == 0 { break }
        fwrite(buffer, 1, count, stdout)
      }
    }
    fwrite(pending, 1, pending.count, stdout)
  }
}
