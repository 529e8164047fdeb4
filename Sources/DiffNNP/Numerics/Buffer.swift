#if canImport(Glibc)
  import Glibc
#endif

/// Uninitialised memory that only grows, for plain values. It belongs to whoever holds it, so that reaching it counts no
/// references.
struct Buffer<Element>: ~Copyable {
  private(set) var pointer: UnsafeMutablePointer<Element>
  private var capacity = 0

  init() { pointer = UnsafeMutablePointer(bitPattern: MemoryLayout<Element>.alignment)! }

  deinit { if capacity > 0 { free(pointer) } }

  /// Room for `count` elements; what was there is lost where the buffer has to grow.
  @inline(__always)
  @discardableResult
  mutating func reserve(_ count: Int) -> UnsafeMutablePointer<Element> {
    if count > capacity { grow(to: count) }
    return pointer
  }

  @inline(never)
  private mutating func grow(to count: Int) {
    if capacity > 0 { free(pointer) }
    // A few more than asked for: the number of ghosts changes from step to step.
    capacity = max(count + count / 16, 16)
    pointer = Self.allocate(capacity)
  }

  /// Pages are large where the memory is large itself: atoms are visited in an order that would miss small ones, and a stream
  /// of edges would stop at the end of each.
  private static var largePage: Int { 1 << 21 }

  /// Uninitialised memory, which `free` gives back.
  static func allocate(_ count: Int) -> UnsafeMutablePointer<Element> {
    let size = count * MemoryLayout<Element>.stride
    let isLarge = size >= 2 * largePage
    var memory: UnsafeMutableRawPointer?
    let alignment = isLarge ? largePage : max(MemoryLayout<Element>.alignment, 64)
    guard posix_memalign(&memory, alignment, size) == 0, let memory else { fatalError("no memory for \(size) bytes") }
    if isLarge { madvise(memory, size, MADV_HUGEPAGE) }
    return memory.assumingMemoryBound(to: Element.self)
  }
}
