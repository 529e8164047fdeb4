import CDiffNNP

/// A struct of the ABI, whose first member is its size as the caller knows it. Later versions add members at the end.
protocol SizedStruct {
  /// A struct with all members zero.
  init()
  var size: Int { get }
  /// Size of the struct in version 0.1 (bytes).
  static var smallestSize: Int { get }
}

extension SizedStruct {
  static var smallestSize: Int { MemoryLayout<Self>.size }
}

extension diffnnp_model_info: SizedStruct {}
extension diffnnp_periodic_system: SizedStruct {}
extension diffnnp_results: SizedStruct {}
extension diffnnp_exchange: SizedStruct {}
extension diffnnp_system: SizedStruct {
  static let smallestSize = MemoryLayout<Self>.offset(of: \.special_weights)!
}

/// A copy of a struct of the caller, in which members that the caller does not know of are zero.
/// - Throws: where the struct is smaller than that of the first version, so has not been set up, or larger than this
///   library knows.
@inline(__always)
func known<Struct: SizedStruct>(_ pointer: UnsafePointer<Struct>, _ name: StaticString) throws -> Struct {
  let (smallest, largest) = (Struct.smallestSize, MemoryLayout<Struct>.size)
  // A smaller struct may have no more than its first member, which alone is read here.
  let size = UnsafeRawPointer(pointer).load(as: Int.self)
  guard (smallest...largest).contains(size) else {
    let expected = smallest == largest ? "\(largest)" : "\(smallest) to \(largest)"
    throw Failure(
      DIFFNNP_ERROR_ARGUMENT,
      "size of \(name) is \(size); expected \(expected): set it to sizeof, and use the library that the header belongs to, "
        + "or a later one")
  }
  if size == largest { return pointer.pointee }
  var copy = Struct()
  withUnsafeMutableBytes(of: &copy) { $0.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: size)) }
  return copy
}

/// Copies to the caller the members of a struct that it knows of.
@inline(__always)
func store<Struct: SizedStruct>(_ value: Struct, to pointer: UnsafeMutablePointer<Struct>) {
  withUnsafeBytes(of: value) {
    UnsafeMutableRawPointer(pointer).copyMemory(from: $0.baseAddress!, byteCount: value.size)
  }
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
