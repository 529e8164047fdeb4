import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// Makes a directory, and those above it, where they are missing.
/// - Throws: where a directory cannot be made, or a file has its name.
public func makeDirectory(_ path: String) throws {
  var prefix = path.hasPrefix("/") ? "/" : ""
  for part in path.split(separator: "/") {
    prefix += prefix.isEmpty || prefix.hasSuffix("/") ? String(part) : "/\(part)"
    if mkdir(prefix, 0o777) != 0 {
      let reason = systemError()
      var status = stat()
      let exists = stat(prefix, &status) == 0
      guard exists, status.st_mode & S_IFMT == S_IFDIR else {
        throw DiffNNPError("cannot make the directory \(path): \(exists ? "\(prefix) is a file" : reason)")
      }
    }
  }
}

/// The system's text for the last failed call.
func systemError() -> String { String(cString: strerror(errno)) }
