import DiffNNP

/// An array in numpy's NPY format, version 1 to 3, read along its first axis.
final class NPYStream {
  let name: String
  let shape: [Int]
  private let kind: NPYArray.Kind
  private let member: ZipMember
  /// Of those along the first axis, how many have been read.
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
      throw DiffNNPError("\(name) has unreadable elements; expected little-endian numbers (float32, float64, integers)")
    }
    guard Self.value(of: "'fortran_order'", in: header)?.hasPrefix("False") == true else {
      throw DiffNNPError("\(name) is in Fortran order; save numpy.ascontiguousarray of it")
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
  }

  /// Number `k` of those along the first axis; unread ones before it are passed over.
  func row(_ k: Int) throws -> NPYArray {
    while rowsRead < k { _ = try nextRow() }
    return try nextRow()
  }

  private func nextRow() throws -> NPYArray {
    rowsRead += 1
    let shape = Array(shape.dropFirst())
    return NPYArray(name: name, shape: shape, kind: kind, bytes: try member.read(shape.reduce(kind.size, *)))
  }

  /// Passes over the rest, to see whether it is whole.
  func readToEnd() throws {
    while member.left > 0 { _ = try nextRow() }
  }

  /// All of it, before any has been read.
  func whole() throws -> NPYArray {
    NPYArray(name: name, shape: shape, kind: kind, bytes: try member.read(member.left))
  }

  /// What stands behind a key of the header, a Python dictionary in one line.
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
