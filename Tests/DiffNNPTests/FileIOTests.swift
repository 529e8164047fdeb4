import Testing

@testable import DiffNNP

@Suite struct FileIOTests {
  /// A disk that is full is one line, which names the file.
  @Test(arguments: [1, 1 << 17]) func fullDiskIsAnError(_ size: Int) {
    let error = #expect(throws: DiffNNPError.self) {
      try FileIO.write([UInt8](repeating: 1, count: size), to: "/dev/full")
    }
    #expect(error?.message == "/dev/full: No space left on device")
  }
}
