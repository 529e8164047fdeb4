import DiffNNP

/// An array of numpy's NPY format, version 1 to 3: little-endian numbers, booleans, or fixed-length strings.
struct NPYArray {
  let name: String
  let shape: [Int]
  private let kind: Kind
  private let bytes: [UInt8]
  private let dataStart: Int

  private enum Kind: Equatable {
    case float32, float64
    case signed(Int), unsigned(Int)
    case string(Int)

    var size: Int {
      switch self {
      case .float32: 4
      case .float64: 8
      case .signed(let size), .unsigned(let size): size
      case .string(let length): 4 * length
      }
    }

    init?(_ descriptor: Substring) {
      guard let order = descriptor.first, "<|=".contains(order), let size = Int(descriptor.dropFirst(2)) else {
        return nil
      }
      switch (descriptor.dropFirst().first, size) {
      case ("f", 4): self = .float32
      case ("f", 8): self = .float64
      case ("i", 1), ("i", 2), ("i", 4), ("i", 8): self = .signed(size)
      case ("u", 1), ("u", 2), ("u", 4), ("u", 8), ("b", 1): self = .unsigned(size)
      case ("U", 1...256): self = .string(size)
      default: return nil
      }
    }
  }

  var count: Int { shape.reduce(1, *) }

  /// - Parameters:
  ///   - bytes: the file.
  ///   - name: what to call it in errors.
  /// - Throws: where it is not such an array, or its size does not fit its shape.
  init(_ bytes: [UInt8], name: String) throws {
    guard bytes.count >= 12, bytes[0..<6].elementsEqual([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]) else {
      throw DiffNNPError("\(name) is not an array in numpy's NPY format")
    }
    let prefix = bytes[6] == 1 ? 10 : 12
    let length = bytes[6] == 1 ? Int(bytes.load(8, as: UInt16.self)) : Int(bytes.load(8, as: UInt32.self))
    guard length <= bytes.count - prefix else { throw DiffNNPError("\(name) is truncated") }
    let header = String(decoding: bytes[prefix..<prefix + length], as: UTF8.self)

    guard let descriptor = Self.value(of: "'descr'", in: header)?.split(separator: "'", maxSplits: 1).first,
      let kind = Kind(descriptor)
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
    guard bytes.count - prefix - length == size else {
      throw DiffNNPError("\(name) holds \(bytes.count - prefix - length) bytes, but its shape asks for \(size)")
    }
    self.name = name
    self.shape = shape
    self.kind = kind
    self.bytes = bytes
    dataStart = prefix + length
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

  /// Element `index` in row-major order.
  @inline(__always)
  func double(_ index: Int) -> Double {
    bytes.withUnsafeBytes { raw in
      let offset = dataStart + index * kind.size
      switch kind {
      case .float32: return Double(raw.loadUnaligned(fromByteOffset: offset, as: Float.self))
      case .float64: return raw.loadUnaligned(fromByteOffset: offset, as: Double.self)
      default: return Double(integer(index) ?? 0)
      }
    }
  }

  /// Rows of three from `start` on.
  func vectors(from start: Int, count: Int) -> [SIMD3<Double>] {
    (0..<count).map { SIMD3(double(start + 3 * $0), double(start + 3 * $0 + 1), double(start + 3 * $0 + 2)) }
  }

  /// Element `index` as a whole number; nil where it is none.
  func integer(_ index: Int) -> Int? {
    let offset = dataStart + index * kind.size
    switch kind {
    case .signed(1): return Int(Int8(bitPattern: bytes[offset]))
    case .signed(2): return Int(bytes.load(offset, as: Int16.self))
    case .signed(4): return Int(bytes.load(offset, as: Int32.self))
    case .signed: return Int(bytes.load(offset, as: Int64.self))
    case .unsigned(1): return Int(bytes[offset])
    case .unsigned(2): return Int(bytes.load(offset, as: UInt16.self))
    case .unsigned(4): return Int(bytes.load(offset, as: UInt32.self))
    case .unsigned: return Int(exactly: bytes.load(offset, as: UInt64.self))
    case .float32, .float64: return Int(exactly: double(index))
    case .string: return nil
    }
  }

  /// Element `index` of an array of strings (UTF-32, padded with zeros).
  func string(_ index: Int) -> String? {
    guard case .string(let length) = kind else { return nil }
    let offset = dataStart + index * kind.size
    var text = String.UnicodeScalarView()
    for k in 0..<length {
      let code = bytes.load(offset + 4 * k, as: UInt32.self)
      guard code != 0 else { break }
      guard let scalar = Unicode.Scalar(code) else { return nil }
      text.append(scalar)
    }
    return String(text)
  }
}
