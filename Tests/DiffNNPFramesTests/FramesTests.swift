import DiffNNP
import Testing

@testable import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// Frames in a temporary file are those in memory.
@Suite struct FramesTests {
  /// Frames of different sizes and cells, some with forces.
  private static func frames(_ count: Int) throws -> [Frame] {
    try (0..<count).map { k in
      var random = Philox(seed: 2, purpose: .noise, frame: k)
      let n = 1 + k % 7
      return Frame(
        cell: try Cell(
          vectors: [[9, 0, 0], [0.1 * Double(k % 5), 8, 0], [0, 1, 7.5]], periodic: [true, k % 2 == 0, false]),
        positions: (0..<n).map { _ in random.normal3() }, types: (0..<n).map { ($0 + k) % 3 },
        forces: k % 3 == 0 ? (0..<n).map { _ in random.normal3() } : nil, number: 5 * k)
    }
  }

  /// A limit of one byte puts all into a file.
  private static func stored(_ frames: [Frame], limit: Int = 1) throws -> Frames {
    var collector = FrameCollector(memoryLimit: limit)
    for frame in frames { try collector.append(frame) }
    return try collector.frames()
  }

  private static func isSame(_ a: Frame, _ b: Frame) -> Bool {
    a.cell == b.cell && a.positions == b.positions && a.types == b.types && a.forces == b.forces && a.number == b.number
  }

  // Into a file from the first frame on, after some, and never.
  @Test(arguments: [1, 5000, .max])
  func theyComeBackAsTheyWere(_ limit: Int) throws {
    let frames = try Self.frames(50)
    let stored = try Self.stored(frames, limit: limit)
    #expect(stored.count == 50 && zip(stored, frames).allSatisfy(Self.isSame))
    #expect(stored.atomCount == frames.reduce(0) { $0 + $1.positions.count } && stored.atomCount(at: 4) == 5)
    let some = stored.at([7, 3, 3, 49])
    #expect(zip(some, [7, 3, 3, 49]).allSatisfy { Self.isSame($0, frames[$1]) } && some.count == 4)
    #expect(Self.isSame(some.at([3])[0], frames[49]))
    let renumbered = stored.renumbered([2, 0, 1]).renumbered([0, 1, 5]).at(10..<12)
    #expect(renumbered[1].types == frames[11].types.map { [5, 0, 1][$0] })
  }

  @Test(arguments: [1, .max])
  func changesArePossible(_ limit: Int) throws {
    let frames = try Self.frames(4)
    var stored = try Self.stored(frames, limit: limit).renumbered([1, 2, 0])
    stored[2].positions[0] = [1, 2, 3]
    #expect(stored.count == 4 && stored[2].positions[0] == [1, 2, 3])
    #expect(stored[1].types == frames[1].types.map { [1, 2, 0][$0] } && stored[3].number == 15)
  }

  /// A temporary file that cannot be read any more, played by one that has become shorter, is an error wherever frames are used.
  @Test func readErrorsAreErrors() throws {
    let file = try FrameFile()
    let written = try Self.frames(8)
    for frame in written { try file.append(frame) }
    try file.flush()
    let frames = Frames(file).renumbered([2, 1, 0])
    #expect(Self.isSame(frames.at([7]).renumbered([2, 1, 0])[0], written[7]))
    try frames.check()
    try #require(ftruncate(file.file.descriptor, 1000) == 0)
    let message = "cannot read a temporary file: it has become shorter; name a directory that has room"
    func reason(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return "no error"
    }
    #expect(reason { _ = try frames.frame(at: 6) }.contains(message))
    // Nothing can be computed from what stands for a frame, and once one is lost, none is given any more.
    #expect(frames[6].positions.count == 7 && frames[6].positions[0].x.isNaN && frames[6].forces?.count == 7)
    #expect(frames[7].forces == nil)
    #expect(reason { _ = try frames.frame(at: 0) }.contains(message) && reason(frames.check).contains(message))
  }

  @Test func noTemporaryFileIsLeft() throws {
    var template = Array("/tmp/diffnnp-test-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let file = try FrameFile(directory: directory)
    try file.append(Self.frames(1)[0])
    try file.flush()
    // A directory with a file in it could not be removed.
    #expect(rmdir(directory) == 0)
    #expect(try file.frame(0).number == 0)
    do {
      _ = try FrameFile(directory: directory)
      Issue.record("a directory that is gone was used")
    } catch let error as DiffNNPError {
      #expect(
        error.message.hasPrefix(
          "\(directory): cannot make a temporary file: No such file or directory; name a directory that has room"))
    }
  }
}
