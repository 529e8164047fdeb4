import Testing

@testable import DiffNNP

@Suite struct SafetensorsTests {
  static func file(header: String, data: Int) -> [UInt8] {
    let text = Array(header.utf8)
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
      + [UInt8](repeating: 0, count: data)
  }

  static func tensor(_ shape: String, _ begin: Int, _ end: Int, _ dtype: String = "F32") -> String {
    "{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":[\(begin),\(end)]}"
  }

  static func message(_ bytes: [UInt8]) -> String {
    do {
      _ = try SafetensorsFile(bytes: bytes)
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test func readsBothPrecisions() throws {
    var bytes = Self.file(
      header: "{\"a\":\(Self.tensor("[2]", 0, 8, "F32")),\"b\":\(Self.tensor("[]", 8, 16, "F64"))}  ", data: 0)
    for value: Float in [1.5, -2] { bytes += withUnsafeBytes(of: value) { Array($0) } }
    bytes += withUnsafeBytes(of: 0.1) { Array($0) }
    let file = try SafetensorsFile(bytes: bytes)
    #expect(file.metadata.isEmpty)
    #expect(
      file.tensors == [
        NamedTensor(name: "a", shape: [2], values: [1.5, -2]), NamedTensor(name: "b", shape: [], values: [0.1]),
      ])
    #expect(try SafetensorsFile(bytes: file.serialised()) == file)
  }

  @Test func readsEmptyTensorsAndMetadata() throws {
    let bytes = Self.file(
      header: "{\"__metadata__\":{\"k\":\"v\"},\"a\":\(Self.tensor("[0, 3]", 0, 0, "F64"))}", data: 0)
    let file = try SafetensorsFile(bytes: bytes)
    #expect(
      file == SafetensorsFile(metadata: ["k": "v"], tensors: [NamedTensor(name: "a", shape: [0, 3], values: [])]))
    #expect(try SafetensorsFile(bytes: Self.file(header: "{}", data: 0)).tensors.isEmpty)
  }

  @Test(arguments: [
    ("{\"a\":\(tensor("[1]", 0, 4)),\"b\":\(tensor("[1]", 2, 6))}", 6, "overlaps"),
    ("{\"a\":\(tensor("[1]", 0, 4)),\"b\":\(tensor("[1]", 8, 12))}", 12, "gap"),
    ("{\"a\":\(tensor("[1]", 4, 8))}", 8, "gap"),
    ("{\"a\":\(tensor("[1]", 0, 4))}", 5, "1 bytes behind"),
    ("{\"a\":\(tensor("[1]", 0, 4))}", 3, "truncated"),
    ("{\"a\":\(tensor("[2]", 0, 4))}", 4, "shape [2]"),
    ("{\"a\":\(tensor("[-1]", 0, 4))}", 4, "shape"),
    ("{\"a\":\(tensor("[1.5]", 0, 4))}", 4, "shape"),
    ("{\"a\":\(tensor("[4294967296, 4294967296, 4294967296]", 0, 4))}", 4, "shape"),
    ("{\"a\":\(tensor("[1]", 4, 0))}", 4, "data_offsets"),
    ("{\"a\":\(tensor("[1]", -4, 0))}", 4, "data_offsets"),
    ("{\"a\":\(tensor("[2]", 0, 4, "F16"))}", 4, "dtype F16"),
    ("{\"a\":{}}", 0, "needs dtype"), ("{\"a\":1}", 0, "needs dtype"), ("{\"a\":", 0, "not valid JSON"),
    ("{\"__metadata__\":{\"k\":1}}", 0, "not a string"), ("{\"__metadata__\":[]}", 0, "no object"),
    ("[]", 0, "not a safetensors file"),
  ])
  func refuses(_ header: String, _ data: Int, _ reason: String) {
    let message = Self.message(Self.file(header: header, data: data))
    #expect(message.contains(reason), "\(message)")
  }

  @Test func believesNoLengths() {
    #expect(Self.message([UInt8](repeating: 0xff, count: 64)).contains("not a safetensors file"))
    #expect(Self.message([0xff, 0, 0, 0, 0, 0, 0, 0, 0x7b]).contains("truncated"))
    #expect(Self.message([0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0x7b]).contains("not a safetensors file"))
    #expect(Self.message([0, 0, 0, 0, 0, 0, 0, 0]).contains("not valid JSON"))
  }
}
