import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// The directory of a ZIP archive of stored or deflated members, with the 64-bit extension (PKWARE APPNOTE 6.3.10).
final class ZipArchive {
  let path: String
  private let descriptor: Int32
  private let size: Int
  private var entries: [String: Entry] = [:]

  private struct Entry {
    var method: UInt16
    var checksum: UInt32
    var compressedSize: Int
    var size: Int
    var headerOffset: Int
  }

  /// Opens an archive and reads its directory.
  /// - Throws: where the file cannot be read, or is not a ZIP archive.
  init(path: String) throws {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw DiffNNPError("\(path): \(String(cString: strerror(errno)))") }
    size = Int(lseek(descriptor, 0, SEEK_END))
    try readDirectory()
  }

  deinit { close(descriptor) }

  var names: [String] { entries.keys.sorted() }

  /// A member, from its beginning on; nil where there is none of this name.
  /// - Throws: where it is damaged or compressed in another way.
  func member(_ name: String) throws -> ZipMember? {
    guard let entry = entries[name] else { return nil }
    let header = try bytes(at: entry.headerOffset, count: 30)
    guard header.load(0, as: UInt32.self) == 0x0403_4b50 else { throw damaged("no header for \(name)") }
    let start = entry.headerOffset + 30 + Int(header.load(26, as: UInt16.self)) + Int(header.load(28, as: UInt16.self))
    guard entry.method == 0 || entry.method == 8 else {
      throw DiffNNPError("\(path): \(name) is compressed by method \(entry.method); use numpy's savez_compressed")
    }
    // Deflate shrinks by 1032 at most: a larger size is a lie, and must not be believed with an allocation.
    let isPossible = entry.method == 8 ? entry.size / 1033 <= entry.compressedSize : entry.size == entry.compressedSize
    guard isPossible else { throw damaged("size of \(name)") }
    guard start <= size, entry.compressedSize <= size - start else { throw damaged("end of file") }
    return try ZipMember(
      name, of: self, compressed: start..<start + entry.compressedSize, isDeflated: entry.method == 8,
      size: entry.size, checksum: entry.checksum)
  }

  func damaged(_ what: String) -> DiffNNPError {
    DiffNNPError("\(path): damaged or truncated NPZ archive (\(what)); write it again")
  }

  private func bytes(at offset: Int, count: Int) throws -> [UInt8] {
    guard count >= 0, count <= size else { throw damaged("end of file") }
    return try bytes(count) { try read(at: offset, into: $0) }
  }

  /// An array of `count` bytes. Files with holes can be larger than any memory, and a large array that finds none would
  /// stop the program.
  func bytes(_ count: Int, filledBy fill: (UnsafeMutableRawBufferPointer) throws -> Void) throws -> [UInt8] {
    if count > Self.largeSize {
      // Not by malloc, which the compiler leaves out where nothing is done with what it gives.
      let room = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      guard room != MAP_FAILED else {
        throw DiffNNPError("\(path): \(count >> 20) MiB do not fit into memory; write fewer frames into a file")
      }
      munmap(room, count)
    }
    return try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialised in
      try fill(UnsafeMutableRawBufferPointer(buffer))
      initialised = count
    }
  }

  /// Arrays up to this (bytes) are like any other of the program.
  private static let largeSize = 1 << 20

  /// Fills a buffer from the file.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    guard offset >= 0, offset <= size, buffer.count <= size - offset else { throw damaged("end of file") }
    var done = 0
    while done < buffer.count {
      let n = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      if n < 0 && errno == EINTR { continue }
      guard n > 0 else { throw damaged("read error") }
      done += n
    }
  }

  private func readDirectory() throws {
    // The end record is last, before a comment of up to 65535 bytes.
    let tailStart = max(0, size - 65557)
    let tail = try bytes(at: tailStart, count: size - tailStart)
    guard
      let end = stride(from: tail.count - 22, through: 0, by: -1).first(where: {
        tail.load($0, as: UInt32.self) == 0x0605_4b50
      })
    else { throw DiffNNPError("\(path): not a ZIP archive, or truncated; expected a file of numpy's savez") }
    var count = Int(tail.load(end + 10, as: UInt16.self))
    var directorySize = Int(tail.load(end + 12, as: UInt32.self))
    var directoryStart = Int(tail.load(end + 16, as: UInt32.self))
    if end >= 20, tail.load(end - 20, as: UInt32.self) == 0x0706_4b50 {
      let record = try bytes(at: tail.loadSize(end - 12), count: 56)
      guard record.load(0, as: UInt32.self) == 0x0606_4b50 else { throw damaged("directory") }
      count = record.loadSize(32)
      directorySize = record.loadSize(40)
      directoryStart = record.loadSize(48)
    }
    let directory = try bytes(at: directoryStart, count: directorySize)
    var offset = 0
    for _ in 0..<count { try readEntry(directory, &offset) }
  }

  private func readEntry(_ directory: [UInt8], _ offset: inout Int) throws {
    guard directory.count - offset >= 46, directory.load(offset, as: UInt32.self) == 0x0201_4b50 else {
      throw damaged("directory")
    }
    let nameLength = Int(directory.load(offset + 28, as: UInt16.self))
    let extraLength = Int(directory.load(offset + 30, as: UInt16.self))
    let commentLength = Int(directory.load(offset + 32, as: UInt16.self))
    let nameStart = offset + 46
    let extraStart = nameStart + nameLength
    let next = extraStart + extraLength + commentLength
    guard next <= directory.count else { throw damaged("directory") }
    var entry = Entry(
      method: directory.load(offset + 10, as: UInt16.self), checksum: directory.load(offset + 16, as: UInt32.self),
      compressedSize: Int(directory.load(offset + 20, as: UInt32.self)),
      size: Int(directory.load(offset + 24, as: UInt32.self)),
      headerOffset: Int(directory.load(offset + 42, as: UInt32.self)))
    readLargeSizes(directory[extraStart..<extraStart + extraLength], &entry)
    guard directory.load(offset + 8, as: UInt16.self) & 1 == 0 else {
      throw DiffNNPError("\(path): the archive is encrypted")
    }
    entries[String(decoding: directory[nameStart..<extraStart], as: UTF8.self)] = entry
    offset = next
  }

  /// Replaces those numbers of an entry that are too large for 32 bits by those of its extra field 1.
  private func readLargeSizes(_ extra: ArraySlice<UInt8>, _ entry: inout Entry) {
    let extra = Array(extra)
    var field = 0
    while extra.count - field >= 4 {
      let end = field + 4 + Int(extra.load(field + 2, as: UInt16.self))
      var value = field + 4
      if extra.load(field, as: UInt16.self) == 1, end <= extra.count {
        for key in [\Entry.size, \Entry.compressedSize, \Entry.headerOffset]
        where entry[keyPath: key] == 0xffff_ffff && value + 8 <= end {
          entry[keyPath: key] = extra.loadSize(value)
          value += 8
        }
      }
      field = end
    }
  }
}

extension Array where Element == UInt8 {
  /// A little-endian number at an offset. The caller has checked the bounds; an offset beyond them stops the program.
  func load<T: FixedWidthInteger>(_ offset: Int, as type: T.Type) -> T {
    withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
  }

  /// A 64-bit size or offset; what no file can have becomes Int.max.
  func loadSize(_ offset: Int) -> Int { Int(clamping: load(offset, as: UInt64.self)) }
}
