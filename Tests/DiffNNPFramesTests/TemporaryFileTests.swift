import DiffNNP
import Testing

@testable import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct TemporaryFileTests {
  @Test func bytesComeBack() throws {
    let file = try TemporaryFile(in: "/tmp")
    #expect(try file.contents() == [])
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
    try file.write(bytes)
    try file.write([7])
    #expect(try file.contents() == bytes + [7])
    var part = [UInt8](repeating: 0, count: 3)
    try part.withUnsafeMutableBytes { try file.read(into: $0, at: 99_998) }
    #expect(part == [bytes[99_998], bytes[99_999], 7])
    #expect(
      Self.message { try part.withUnsafeMutableBytes { try file.read(into: $0, at: 99_999) } }
        == Self.error("read", "it has become shorter"))
  }

  /// A disk that is full is one line, which names the directory.
  @Test func fullDiskIsAnError() throws {
    let file = try TemporaryFile(in: "/tmp")
    try Self.fill(file)
    #expect(Self.message { try file.write([1]) } == Self.error("write", "No space left on device"))
    let frames = try FrameFile(directory: "/tmp")
    try Self.fill(frames.file)
    try frames.append(Frame(cell: Cell(orthogonal: [9, 9, 9]), positions: [.zero], types: [0], forces: nil, number: 0))
    #expect(Self.message(frames.flush) == Self.error("write", "No space left on device"))
  }

  @Test func unreadableFileIsAnError() throws {
    let file = try TemporaryFile(in: "/tmp")
    try file.write([1, 2])
    try Self.replace(file, by: "/tmp", O_RDONLY | O_DIRECTORY)
    #expect(Self.message { _ = try file.contents() } == Self.error("read", "Is a directory"))
  }

  /// Puts a full device in place of the file.
  private static func fill(_ file: TemporaryFile) throws { try replace(file, by: "/dev/full", O_WRONLY) }

  private static func replace(_ file: TemporaryFile, by path: String, _ flags: Int32) throws {
    let other = open(path, flags)
    try #require(other >= 0 && dup2(other, file.descriptor) >= 0 && close(other) == 0)
  }

  private static func error(_ verb: String, _ reason: String) -> String {
    "/tmp: cannot \(verb) a temporary file: \(reason); name a directory that has room with the environment variable TMPDIR"
  }

  private static func message(_ body: () throws -> Void) -> String {
    do { try body() } catch { return "\(error)" }
    return "no error"
  }
}
