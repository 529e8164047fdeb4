import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// Reads a whole text file.
func readFile(_ path: String) throws -> String {
  guard let file = fopen(path, "r") else { throw DiffNNPError("cannot read \(path): \(systemError())") }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = fread(&chunk, 1, chunk.count, file)
    bytes += chunk[..<count]
    if count < chunk.count { break }
  }
  guard ferror(file) == 0 else { throw DiffNNPError("cannot read \(path): \(systemError())") }
  return String(decoding: bytes, as: UTF8.self)
}

/// Writes a text file: beside its place first, then renamed, so that no half-written file ever bears the name.
public func writeFile(_ text: String, to path: String) throws {
  try replacingFile(path) { temporary in
    guard let file = fopen(temporary, "w") else { throw DiffNNPError("cannot write \(path): \(systemError())") }
    let written = Array(text.utf8).withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) }
    let closed = fclose(file)
    guard written == text.utf8.count, closed == 0 else {
      throw DiffNNPError("cannot write \(path): \(systemError())")
    }
  }
}

/// Lets `write` fill a file beside `path`, then gives it that name; nothing changes where `write` fails.
func replacingFile(_ path: String, _ write: (_ temporary: String) throws -> Void) throws {
  let temporary = "\(path).\(getpid()).part"
  do {
    try write(temporary)
    guard rename(temporary, path) == 0 else { throw DiffNNPError("cannot write \(path): \(systemError())") }
  } catch {
    unlink(temporary)
    throw error
  }
}

/// Makes a directory, and those above it, where they are missing.
public func makeDirectory(_ path: String) throws {
  var prefix = path.hasPrefix("/") ? "/" : ""
  for part in path.split(separator: "/") {
    prefix += prefix.isEmpty || prefix.hasSuffix("/") ? String(part) : "/\(part)"
    if mkdir(prefix, 0o777) != 0 {
      let reason = systemError()
      var status = stat()
      guard stat(prefix, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
        throw DiffNNPError("cannot make the directory \(path): \(reason)")
      }
    }
  }
}

/// What the last failed system call says.
func systemError() -> String { String(cString: strerror(errno)) }
