import CZlib
import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// The contents of a member of a ZIP archive, read in order, so that little of it is held in memory.
final class ZipMember {
  let name: String
  /// Bytes that are still to come.
  private(set) var left: Int
  private let archive: ZipArchive
  private let checksum: UInt32
  private var checksumSoFar: UInt32 = 0
  /// Offsets in the file of the bytes that have not been read.
  private var unread: Range<Int>
  /// The decompressor, and its input; nil for members that are stored uncompressed.
  private let stream: UnsafeMutablePointer<z_stream>?
  private let input: UnsafeMutableRawBufferPointer

  private static let inputSize = 1 << 16

  init(
    _ name: String, of archive: ZipArchive, compressed: Range<Int>, isDeflated: Bool, size: Int, checksum: UInt32
  ) throws {
    (self.name, self.archive, self.checksum) = (name, archive, checksum)
    (unread, left) = (compressed, size)
    guard isDeflated else {
      (stream, input) = (nil, .init(start: nil, count: 0))
      return
    }
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    guard inflateInit2_(stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      stream.deallocate()
      throw DiffNNPError("\(archive.path): zlib could not be started")
    }
    self.stream = stream
    input = .allocate(byteCount: Self.inputSize, alignment: 16)
  }

  deinit {
    guard let stream else { return }
    inflateEnd(stream)
    stream.deallocate()
    input.deallocate()
  }

  /// The next `count` bytes.
  /// - Throws: where there are fewer, or, at the end, where the checksum is wrong.
  func read(_ count: Int) throws -> [UInt8] {
    guard count >= 0, count <= left else { throw archive.damaged("end of \(name)") }
    return try archive.bytes(count, filledBy: fill)
  }

  private func fill(_ buffer: UnsafeMutableRawBufferPointer) throws {
    guard !buffer.isEmpty else { return }
    if stream == nil {
      try archive.read(at: unread.lowerBound, into: buffer)
      unread = unread.lowerBound + buffer.count..<unread.upperBound
    } else {
      // zlib counts in 32 bits.
      for start in stride(from: 0, to: buffer.count, by: 1 << 30) {
        try inflate(into: .init(rebasing: buffer[start..<min(start + 1 << 30, buffer.count)]))
      }
    }
    left -= buffer.count
    let bytes = buffer.bindMemory(to: UInt8.self)
    checksumSoFar = UInt32(crc32_z(UInt(checksumSoFar), bytes.baseAddress, bytes.count))
    guard left > 0 || checksumSoFar == checksum else { throw archive.damaged("checksum of \(name)") }
  }

  private func inflate(into output: UnsafeMutableRawBufferPointer) throws {
    guard let stream else { return }
    stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
    stream.pointee.avail_out = UInt32(output.count)
    while stream.pointee.avail_out > 0 {
      if stream.pointee.avail_in == 0 {
        let piece = UnsafeMutableRawBufferPointer(rebasing: input[..<min(input.count, unread.count)])
        try archive.read(at: unread.lowerBound, into: piece)
        unread = unread.lowerBound + piece.count..<unread.upperBound
        stream.pointee.next_in = piece.bindMemory(to: UInt8.self).baseAddress
        stream.pointee.avail_in = UInt32(piece.count)
      }
      let status = CZlib.inflate(stream, Z_NO_FLUSH)
      guard status == Z_OK || (status == Z_STREAM_END && stream.pointee.avail_out == 0) else {
        throw archive.damaged("contents of \(name)")
      }
    }
  }
}
