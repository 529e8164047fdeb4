import DiffNNP

/// An array in numpy's NPY format, version 1 to 3, read along its first axis.
final class NPYStream {
  let name: String
  let shape: [Int]
  private let kind: NPYArray.Kind
  private let isBigEndian: Bool
  private let member: ZipMember
  /// All elements, in the file's order, of an array that is stored with its first index fastest (Fortran order); nil
  /// before a row is asked for.
  private var columnMajor: [UInt8]?
  private let isColumnMajor: Bool
  /// Number of rows along the first axis that have been read.
  private var rowsRead = 0

  /// - Parameters:
  ///   - member: at its beginning.
  ///   - name: what to call it in errors: file and key.
  /// - Throws: where it is not such an array, or its size does not fit its shape.
  init(_ member: ZipMember, name: String) throws {
    let start = member.left >= 12 ? try member.read(10) : []
    guard start.starts(with: [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]) else {
      throw DiffNNPError("\(name) is not an array in numpy's NPY format")
    }
    var length = Int(start.load(8, as: UInt16.self))
    if start[6] != 1 { length += Int(try member.read(2).load(0, as: UInt16.self)) << 16 }
    guard length <= member.left else { throw DiffNNPError("\(name) is truncated") }
    let header = String(decoding: try member.read(length), as: UTF8.self)

    guard let descriptor = Self.value(of: "'descr'", in: header)?.split(separator: "'", maxSplits: 1).first,
      let kind = NPYArray.Kind(descriptor)
    else {
      throw DiffNNPError(
        "\(name) has unreadable elements; expected numbers (float32, float64, integers) or strings of fixed length")
    }
    guard let shape = Self.shape(in: header) else { throw DiffNNPError("\(name) has no shape") }
    var size = kind.size
    for extent in shape {
      let (product, overflow) = size.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow else { throw DiffNNPError("\(name) has an impossible shape") }
      size = product
    }
    guard member.left == size else {
      throw DiffNNPError("\(name) holds \(member.left) bytes, but its shape asks for \(size)")
    }
    (self.name, self.shape, self.kind, self.member) = (name, shape, kind, member)
    isBigEndian = descriptor.first == ">"
    isColumnMajor = Self.value(of: "'fortran_order'", in: header)?.hasPrefix("True") == true && shape.count > 1
  }

  /// The row `k` along the first axis; unread ones before it are passed over.
  func row(_ k: Int) throws -> NPYArray {
    while rowsRead < k { _ = try nextRow() }
    return try nextRow()
  }

  private func nextRow() throws -> NPYArray {
    defer { rowsRead += 1 }
    let shape = Array(shape.dropFirst())
    return try array(shape, isColumnMajor ? columnMajorRow(rowsRead) : member.read(shape.reduce(kind.size, *)))
  }

  /// Reads the remaining rows, to check that the array is complete.
  func readToEnd() throws {
    if isColumnMajor {
      _ = try member.read(member.left)
    } else {
      while member.left > 0 { _ = try nextRow() }
    }
  }

  /// The complete array, before any row has been read.
  func whole() throws -> NPYArray {
    guard isColumnMajor else { return try array(shape, member.read(member.left)) }
    return try array(shape, (0..<shape[0]).flatMap(columnMajorRow))
  }

  private func array(_ shape: [Int], _ bytes: [UInt8]) -> NPYArray {
    var bytes = bytes
    if isBigEndian {
      let size = kind.wordSize
      for start in stride(from: 0, to: bytes.count, by: size) { bytes[start..<start + size].reverse() }
    }
    return NPYArray(name: name, shape: shape, kind: kind, bytes: bytes)
  }

  /// The row `k` along the first axis, in row-major order.
  private func columnMajorRow(_ k: Int) throws -> [UInt8] {
    let all = try columnMajor ?? member.read(member.left)
    columnMajor = all
    let inner = shape.dropFirst().reduce(1, *)
    var row: [UInt8] = []
    row.reserveCapacity(inner * kind.size)
    for element in 0..<inner {
      // The indices of the element, the last of them fastest, each with its distance in the file.
      var (rest, offset, distance) = (element, k, shape.reduce(1, *))
      for extent in shape.dropFirst().reversed() {
        distance /= extent
        offset += rest % extent * distance
        rest /= extent
      }
      row += all[offset * kind.size..<(offset + 1) * kind.size]
    }
    return row
  }

  /// The text after a key of the header, a Python dictionary in one line.
  private static func value(of key: String, in header: String) -> Substring? {
    var rest = Substring(header)
    while !rest.isEmpty {
      if rest.hasPrefix(key) {
        return rest.dropFirst(key.count).drop { $0 == ":" || $0 == " " }
      }
      rest = rest.dropFirst()
    }
    return nil
  }

  private static func shape(in header: String) -> [Int]? {
    guard let value = value(of: "'shape'", in: header), value.first == "(", let end = value.firstIndex(of: ")") else {
      return nil
    }
    let fields = value[..<end].dropFirst().split(separator: ",").map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }
    let numbers = fields.compactMap { Int($0) }
    return numbers.count == fields.count ? numbers : nil
  }
}

extension ZipArchive {
  /// An array of the archive, at its beginning; nil where there is none of this name.
  func stream(_ key: String) throws -> NPYStream? {
    try member(key + ".npy").map { try NPYStream($0, name: "\(path): \(key)") }
  }

  func array(_ key: String) throws -> NPYArray? { try stream(key)?.whole() }
}
