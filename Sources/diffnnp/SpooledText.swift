import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// Text that is printed once it is complete. Long text is kept in a temporary file without a name until then, so that
/// it needs little memory.
final class SpooledText {
  private var pending: [UInt8] = []
  private var file: TemporaryFile?
  /// Number of bytes in the file.
  private var spooled = 0
  private static let bufferSize = 1 << 20

  /// - Throws: where the temporary file cannot be written.
  func write(_ text: String) throws {
    pending.append(contentsOf: text.utf8)
    if pending.count >= Self.bufferSize { try flush() }
  }

  private func flush() throws {
    let file = try self.file ?? TemporaryFile()
    self.file = file
    try file.write(pending)
    spooled += pending.count
    pending.removeAll(keepingCapacity: true)
  }

  /// Prints all that was written.
  /// - Throws: where the temporary file cannot be read.
  func print() throws {
    var buffer = [UInt8](repeating: 0, count: min(Self.bufferSize, spooled))
    for offset in stride(from: 0, to: spooled, by: Self.bufferSize) {
      let count = min(Self.bufferSize, spooled - offset)
      try buffer.withUnsafeMutableBytes { try file?.read(into: .init(rebasing: $0[..<count]), at: offset) }
      fwrite(buffer, 1, count, stdout)
    }
    fwrite(pending, 1, pending.count, stdout)
  }
}
