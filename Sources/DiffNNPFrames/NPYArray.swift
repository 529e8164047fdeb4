import DiffNNP

/// An array of numbers, booleans, or fixed-length strings, whatever the order that a file has them in.
struct NPYArray {
  let name: String
  let shape: [Int]
  private let kind: Kind
  /// Elements in row-major order, little-endian.
  private let bytes: [UInt8]

  enum Kind: Equatable {
    case float32, float64
    case signed(Int), unsigned(Int)
    /// Characters of 32 bits, or of 8.
    case string(Int), bytes(Int)

    var size: Int {
      switch self {
      case .float32: 4
      case .float64: 8
      case .signed(let size), .unsigned(let size): size
      case .string(let length): 4 * length
      case .bytes(let length): length
      }
    }

    /// Size of the words that are swapped where the byte order differs (bytes).
    var wordSize: Int {
      switch self {
      case .string: 4
      case .bytes: 1
      default: size
      }
    }

    init?(_ descriptor: Substring) {
      guard let order = descriptor.first, "<>|=".contains(order), let size = Int(descriptor.dropFirst(2)) else {
        return nil
      }
      switch (descriptor.dropFirst().first, size) {
      case ("f", 4): self = .float32
      case ("f", 8): self = .float64
      case ("i", 1), ("i", 2), ("i", 4), ("i", 8): self = .signed(size)
      case ("u", 1), ("u", 2), ("u", 4), ("u", 8), ("b", 1): self = .unsigned(size)
      case ("U", 1...256): self = .string(size)
      case ("S", 1...256): self = .bytes(size)
      default: return nil
      }
    }
  }

  var count: Int { shape.reduce(1, *) }

  var isText: Bool {
    switch kind {
    case .string, .bytes: true
    default: false
    }
  }

  init(name: String, shape: [Int], kind: Kind, bytes: [UInt8]) {
    (self.name, self.shape, self.kind, self.bytes) = (name, shape, kind, bytes)
  }

  /// Element `index` in row-major order.
  @inline(__always)
  func double(_ index: Int) -> Double {
    bytes.withUnsafeBytes { raw in
      let offset = index * kind.size
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
    let offset = index * kind.size
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
    case .string, .bytes: return nil
    }
  }

  /// Element `index` of an array of strings (UTF-32 or bytes, padded with zeros).
  func string(_ index: Int) -> String? {
    let offset = index * kind.size
    if case .bytes(let length) = kind {
      return String(decoding: bytes[offset..<offset + length].prefix { $0 != 0 }, as: UTF8.self)
    }
    guard case .string(let length) = kind else { return nil }
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
