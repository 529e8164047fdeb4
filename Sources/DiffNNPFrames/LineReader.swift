import CZlib
import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// Reads a text file, plain or compressed by gzip, line by line, and splits lines at white space.
final class LineReader {
  let path: String
  /// Number of the current line, from 1.
  private(set) var lineNumber = 0
  /// Fields of the current line.
  private(set) var fields: [Range<Int>] = []

  private let file: gzFile
  private var buffer: UnsafeMutableRawBufferPointer
  /// The bytes that are read but not consumed: start..<end of the buffer.
  private var start = 0
  private var end = 0
  private var atEnd = false
  /// Start and length of the current line in the buffer.
  private var line = 0..<0
  /// Whether the current line has its end. The last one of a file has none where writing was cut off.
  private(set) var isWhole = true

  /// The byte order mark that some editors put before text in UTF-8.
  private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
  /// Longer lines are no text.
  private static let longestLine = 1 << 24

  init(path: String) throws {
    self.path = path
    var status = stat()
    guard stat(path, &status) != 0 || status.st_mode & S_IFMT != S_IFDIR else {
      throw DiffNNPError("\(path): Is a directory; expected a file")
    }
    guard let file = gzopen(path, "rb") else { throw DiffNNPError("\(path): \(String(cString: strerror(errno)))") }
    self.file = file
    gzbuffer(file, 1 << 17)
    buffer = .allocate(byteCount: 1 << 18, alignment: 16)
  }

  deinit {
    gzclose(file)
    buffer.deallocate()
  }

  /// An error at the current line.
  func failure(_ message: String) -> DiffNNPError { DiffNNPError("\(path):\(lineNumber): \(message)") }

  /// Moves to the next line; false at the end of the file.
  func advance() throws -> Bool {
    while true {
      let unread = UnsafeRawBufferPointer(rebasing: buffer[start..<end])
      if !unread.isEmpty, let newline = memchr(unread.baseAddress!, 0x0a, unread.count) {
        let length = UnsafeRawPointer(newline) - unread.baseAddress!
        take(length, andSkip: 1)
        return true
      }
      if atEnd {
        guard !unread.isEmpty else { return false }
        take(unread.count, andSkip: 0)
        return true
      }
      try fill()
    }
  }

  private func take(_ length: Int, andSkip newline: Int) {
    line = start..<start + length
    isWhole = newline > 0
    if lineNumber == 0, bytes.starts(with: Self.byteOrderMark) {
      line = start + Self.byteOrderMark.count..<line.upperBound
    }
    start += length + newline
    lineNumber += 1
  }

  /// Reads on, keeping what is not consumed. One byte is left free behind it for the zero at the end of the text.
  private func fill() throws {
    if start > 0 {
      buffer.baseAddress!.copyMemory(from: buffer.baseAddress! + start, byteCount: end - start)
      (start, end) = (0, end - start)
    }
    if end + 1 >= buffer.count {
      guard buffer.count < Self.longestLine else {
        throw DiffNNPError("\(path):\(lineNumber + 1): the line is too long; this is not a text file of frames")
      }
      let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * buffer.count, alignment: 16)
      larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<end]))
      buffer.deallocate()
      buffer = larger
    }
    let count = gzread(file, buffer.baseAddress! + end, UInt32(buffer.count - end - 1))
    if count > 0 {
      end += Int(count)
      return
    }
    var status: Int32 = 0
    let reason = String(cString: gzerror(file, &status))
    guard count == 0, status == Z_OK || status == Z_STREAM_END else {
      throw DiffNNPError("\(path): damaged or truncated after line \(lineNumber): \(reason)")
    }
    buffer[end] = 0
    atEnd = true
  }

  /// Moves to the next line; false where the file ends before that does.
  func advanceToWhole() throws -> Bool { try advance() && isWhole }

  /// Passes over lines; false where the file ends before.
  func skip(_ count: Int) throws -> Bool {
    for _ in 0..<count {
      guard try advanceToWhole() else { return false }
    }
    return true
  }

  /// The current line.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[line]) }

  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Fills `fields` with those of the current line.
  func split() {
    fields.removeAll(keepingCapacity: true)
    var k = line.lowerBound
    while true {
      while k < line.upperBound, Self.isSpace(buffer[k]) { k += 1 }
      guard k < line.upperBound else { return }
      let first = k
      while k < line.upperBound, !Self.isSpace(buffer[k]) { k += 1 }
      fields.append(first..<k)
    }
  }

  @inline(__always)
  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }

  func field(_ k: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[fields[k]]) }

  func fieldText(_ k: Int) -> String { String(decoding: field(k), as: UTF8.self) }

  /// Field k as a finite number.
  func number(_ k: Int) throws -> Double {
    let range = fields[k]
    // The byte behind a field is white space, a newline, or the zero at the end of the text: strtod stops there.
    let first = (buffer.baseAddress! + range.lowerBound).assumingMemoryBound(to: CChar.self)
    var stop: UnsafeMutablePointer<CChar>?
    let value = strtod(first, &stop)
    guard stop == first + range.count, value.isFinite else {
      throw failure("expected a finite number, found \"\(fieldText(k))\"")
    }
    return value
  }

  /// Fields k, k + 1, k + 2.
  func vector(_ k: Int) throws -> SIMD3<Double> { SIMD3(try number(k), try number(k + 1), try number(k + 2)) }

  /// Field k as a whole number.
  func integer(_ k: Int) throws -> Int {
    guard let value = Int(fieldText(k)) else { throw failure("expected a whole number, found \"\(fieldText(k))\"") }
    return value
  }
}
