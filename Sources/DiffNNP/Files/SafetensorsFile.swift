/// The contents of a safetensors file: named tensors and string metadata (<https://huggingface.co/docs/safetensors>,
/// the format of version 0.4). Tensors of F64 and F32 are read, F64 written.
///
/// Reading trusts nothing: every size and offset is checked before it is used, and memory stays in proportion to the
/// file.
public struct SafetensorsFile: Equatable, Sendable {
  /// Text by key: the header's `__metadata__`.
  public var metadata: [String: String]
  /// Tensors, in the order of the file's header.
  public var tensors: [NamedTensor]

  /// The format's own limit on the header.
  private static let longestHeader = 100_000_000

  /// File contents made of metadata and tensors.
  public init(metadata: [String: String], tensors: [NamedTensor]) {
    self.metadata = metadata
    self.tensors = tensors
  }

  /// Reads a safetensors file.
  /// - Throws: where the file cannot be read, or is not a complete safetensors file of F64 and F32 tensors.
  public init(path: String) throws {
    let bytes = try FileIO.read(path)
    do { try self.init(bytes: bytes) } catch let error as DiffNNPError {
      throw DiffNNPError("\(path): \(error.message)")
    }
  }

  /// Reads the bytes of a safetensors file.
  /// - Throws: where the bytes are not a complete safetensors file of F64 and F32 tensors.
  public init(bytes: [UInt8]) throws {
    guard bytes.count >= 8 else { throw DiffNNPError("not a safetensors file: it has \(bytes.count) bytes") }
    let claimed = bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    guard claimed <= Self.longestHeader, bytes.count == 8 || bytes[8] == UInt8(ascii: "{") else {
      throw DiffNNPError("not a safetensors file: it does not begin with the length of a JSON header")
    }
    let dataStart = 8 + Int(claimed)
    guard dataStart <= bytes.count else {
      throw DiffNNPError("truncated safetensors file: \(bytes.count) bytes, its header alone ends at \(dataStart)")
    }
    let header = try naming("damaged safetensors header") { try JSONValue(parsing: bytes[8..<dataStart]) }
    guard let members = header.object else { throw DiffNNPError("damaged safetensors header: it is not an object") }

    metadata = [:]
    var entries: [Entry] = []
    for member in members {
      if member.key == "__metadata__" {
        metadata = try Self.metadata(member.value)
      } else {
        entries.append(try Entry(member))
      }
    }
    try Self.checkLayout(entries, dataSize: bytes.count - dataStart)
    tensors = entries.map { $0.tensor(bytes, dataStart) }
  }

  /// The file: header padded to a multiple of 8 bytes, then the tensors in order, as F64.
  public func serialised() -> [UInt8] {
    var header: [JSONValue.Member] = []
    if !metadata.isEmpty {
      let sorted = metadata.sorted { $0.key < $1.key }
      header.append(.init("__metadata__", .object(sorted.map { .init($0.key, .string($0.value)) })))
    }
    var offset = 0
    for tensor in tensors {
      let end = offset + 8 * tensor.values.count
      header.append(
        .init(
          tensor.name,
          [
            "dtype": "F64", "shape": .array(tensor.shape.map { JSONValue($0) }),
            "data_offsets": [JSONValue(offset), JSONValue(end)],
          ]))
      offset = end
    }
    var text = Array(JSONValue.object(header).serialised().utf8)
    while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(8 + text.count + offset)
    withUnsafeBytes(of: UInt64(text.count).littleEndian) { bytes.append(contentsOf: $0) }
    bytes += text
    for tensor in tensors {
      for value in tensor.values {
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
      }
    }
    return bytes
  }

  private static func metadata(_ value: JSONValue) throws -> [String: String] {
    guard let members = value.object else {
      throw DiffNNPError("damaged safetensors header: __metadata__ is no object")
    }
    var metadata: [String: String] = [:]
    for member in members {
      guard let text = member.value.string else {
        throw DiffNNPError("damaged safetensors header: __metadata__ \"\(member.key)\" is not a string")
      }
      metadata[member.key] = text
    }
    return metadata
  }

  /// Tensors must fill the data from end to end, without gaps or overlaps.
  private static func checkLayout(_ entries: [Entry], dataSize: Int) throws {
    var end = 0
    for entry in entries.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
      guard entry.begin == end else {
        let fault = entry.begin < end ? "overlaps another tensor" : "has a gap before it"
        throw DiffNNPError("damaged safetensors header: tensor \(entry.name) \(fault)")
      }
      end = entry.end
    }
    guard end <= dataSize else {
      throw DiffNNPError("truncated safetensors file: its tensors need \(end) bytes, \(dataSize) are there")
    }
    guard end == dataSize else {
      throw DiffNNPError("damaged safetensors file: \(dataSize - end) bytes behind the last tensor")
    }
  }

  private struct Entry {
    let name: String
    let shape: [Int]
    let single: Bool
    let begin: Int
    let end: Int

    init(_ member: JSONValue.Member) throws {
      name = member.key
      let dtype = member.value["dtype"]?.string
      guard let dims = member.value["shape"]?.array, let offsets = member.value["data_offsets"]?.array, let dtype,
        offsets.count == 2, let begin = offsets[0].int, let end = offsets[1].int, 0 <= begin, begin <= end
      else {
        throw DiffNNPError(
          "damaged safetensors header: tensor \(name) needs dtype, shape and data_offsets [begin, end]")
      }
      guard dtype == "F64" || dtype == "F32" else {
        throw DiffNNPError("tensor \(name) is of dtype \(dtype); expected F64 or F32")
      }
      single = dtype == "F32"
      var size = single ? 4 : 8
      shape = try dims.map { [name] in
        guard let extent = $0.int, extent >= 0 else {
          throw DiffNNPError("damaged safetensors header: shape of tensor \(name)")
        }
        let (product, overflow) = size.multipliedReportingOverflow(by: extent)
        size = overflow ? -1 : product
        return extent
      }
      guard size == end - begin else {
        throw DiffNNPError(
          "damaged safetensors header: tensor \(name) of shape \(shape) does not have \(end - begin) bytes")
      }
      self.begin = begin
      self.end = end
    }

    func tensor(_ bytes: [UInt8], _ dataStart: Int) -> NamedTensor {
      let values: [Double] = bytes.withUnsafeBytes { raw in
        let (first, last) = (dataStart + begin, dataStart + end)
        if single {
          return stride(from: first, to: last, by: 4).map {
            Double(Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: $0, as: UInt32.self))))
          }
        }
        return stride(from: first, to: last, by: 8).map {
          Double(bitPattern: UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: $0, as: UInt64.self)))
        }
      }
      return NamedTensor(name: name, shape: shape, values: values)
    }
  }
}
