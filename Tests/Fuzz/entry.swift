import DiffNNP

/// What libFuzzer calls with each file it makes up.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do {
    try Target.chosen.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
  } catch is DiffNNPError {
  } catch {
    fatalError("an error that is no DiffNNPError: \(error)")
  }
  return 0
}
