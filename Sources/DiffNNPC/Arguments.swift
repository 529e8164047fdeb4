import CDiffNNP

/// A struct of the ABI, whose first member is its size as the caller knows it.
protocol SizedStruct {
  var size: Int { get }
}

extension diffnnp_model_info: SizedStruct {}
extension diffnnp_system: SizedStruct {}
extension diffnnp_periodic_system: SizedStruct {}
extension diffnnp_results: SizedStruct {}
extension diffnnp_exchange: SizedStruct {}

/// - Throws: where the struct is not of the size this library knows, so has not been set up, or is of another version.
@inline(__always)
func checkSize<Struct: SizedStruct>(_ pointer: UnsafePointer<Struct>, _ name: StaticString) throws {
  guard pointer.pointee.size == MemoryLayout<Struct>.size else {
    throw Failure(
      DIFFNNP_ERROR_ARGUMENT,
      "size of \(name) is \(pointer.pointee.size); expected \(MemoryLayout<Struct>.size): set it to sizeof, "
        + "and compile with the header of this library")
  }
}

@inline(__always)
func checkSize<Struct: SizedStruct>(_ pointer: UnsafeMutablePointer<Struct>, _ name: StaticString) throws {
  try checkSize(UnsafePointer(pointer), name)
}

/// - Throws: where a pointer is NULL.
@inline(__always)
func required<Pointer>(_ pointer: Pointer?, _ name: StaticString) throws -> Pointer {
  guard let pointer else { throw Failure(DIFFNNP_ERROR_ARGUMENT, "\(name) is NULL") }
  return pointer
}

/// An array of the caller; NULL is fine for an empty one, and replaced by an address that is never read.
/// - Throws: where the pointer is NULL and the array not empty.
@inline(__always)
func required<Element>(
  _ pointer: UnsafePointer<Element>?, _ name: StaticString, unless isEmpty: Bool
) throws -> UnsafePointer<Element> {
  if let pointer { return pointer }
  guard isEmpty else { throw Failure(DIFFNNP_ERROR_ARGUMENT, "\(name) is NULL") }
  return UnsafePointer(bitPattern: MemoryLayout<Element>.alignment)!
}

/// - Throws: where a count is negative.
@inline(__always)
func checkCount(_ count: CInt, _ name: StaticString) throws -> Int {
  guard count >= 0 else { throw Failure(DIFFNNP_ERROR_ARGUMENT, "\(name) is \(count); expected no less than 0") }
  return Int(count)
}
