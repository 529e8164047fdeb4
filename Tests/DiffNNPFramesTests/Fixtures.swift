import DiffNNP
import DiffNNPFrames
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Path of a file beside the tests.
func fixture(_ name: String) -> String {
  let here = #filePath
  return here[...here.lastIndex(of: "/")!] + "Fixtures/" + name
}

/// The first bytes of a fixture or other bytes, in a file of its own that goes when `body` returns.
func withFile(_ bytes: some Sequence<UInt8>, suffix: String = "", _ body: (String) throws -> Void) throws {
  var template = Array("/tmp/diffnnp-test-XXXXXX\(suffix)".utf8CString)
  let descriptor = mkstemps(&template, Int32(suffix.utf8.count))
  try #require(descriptor >= 0)
  let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  defer { unlink(path) }
  let bytes = Array(bytes)
  try #require(write(descriptor, bytes, bytes.count) == bytes.count)
  close(descriptor)
  try body(path)
}

func contents(_ path: String) throws -> [UInt8] {
  let file = try #require(fopen(path, "rb"))
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while case let n = fread(&buffer, 1, buffer.count, file), n > 0 { bytes += buffer[..<n] }
  return bytes
}

/// The message of the `DiffNNPError` that reading must end in.
func readingError(_ path: String, _ selection: TrajectorySelection = .init()) -> String {
  do {
    _ = try Trajectory.read(path: path, selection)
    return "no error"
  } catch let error as DiffNNPError {
    return error.message
  } catch {
    return "other error: \(error)"
  }
}
