#if canImport(Glibc)
  import Glibc
#endif

/// A count with its noun: "1 frame", "2 frames".
public func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

extension Double {
  /// Fixed-point text with `digits` behind the point, "3.142".
  public func fixed(_ digits: Int) -> String { formatted("%.*f", digits) }

  /// Text with `digits` significant digits, "3.14" or "1e-05".
  public func significant(_ digits: Int) -> String { formatted("%.*g", digits) }

  private func formatted(_ format: String, _ digits: Int) -> String {
    var buffer = [CChar](repeating: 0, count: 400)
    let count = withVaList([Int32(digits), self]) { vsnprintf(&buffer, buffer.count, format, $0) }
    return String(decoding: buffer[..<Int(count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
