#if canImport(Glibc)
  import Glibc
#endif

/// The error where the system has no more memory.
public struct OutOfMemory: Error, CustomStringConvertible {
  /// Size of the memory that was asked for (bytes).
  public let size: Int

  public var description: String { "no memory for \(size) bytes; fewer atoms or neighbours need less" }
}

/// Uninitialised memory that only grows, for plain values. It belongs to whoever holds it, so that reaching it counts
/// no references.
package struct Buffer<Element>: ~Copyable {
  /// Where the memory begins.
  package private(set) var pointer: UnsafeMutablePointer<Element>
  private var capacity = 0

  /// A buffer without room.
  package init() { pointer = Self.nowhere }

  deinit { if capacity > 0 { free(pointer) } }

  /// Room for `count` elements; what was there is lost where the buffer has to grow.
  /// - Throws: `OutOfMemory`; the buffer is empty then.
  @inline(__always)
  @discardableResult
  package mutating func reserve(_ count: Int) throws -> UnsafeMutablePointer<Element> {
    assert(count >= 0)
    if count > capacity { try grow(to: count) }
    return pointer
  }

  /// Room for `count` elements, where that size follows from the model or the trainer's batch; without memory for it,
  /// the process ends.
  @inline(__always)
  @discardableResult
  package mutating func reserveOrEnd(_ count: Int) -> UnsafeMutablePointer<Element> {
    orEnd { try reserve(count) }
  }

  /// Whether there is room for `count` elements.
  func holds(_ count: Int) -> Bool { count <= capacity }

  @inline(never)
  private mutating func grow(to count: Int) throws {
    if capacity > 0 { free(pointer) }
    (capacity, pointer) = (0, Self.nowhere)
    // A few more than asked for: the number of ghosts changes from step to step.
    let capacity = max(count + count / 16, 16)
    pointer = try Self.allocate(capacity)
    self.capacity = capacity
  }

  private static var nowhere: UnsafeMutablePointer<Element> {
    UnsafeMutablePointer(bitPattern: MemoryLayout<Element>.alignment)!
  }

  /// Pages are large where the memory is large itself: atoms are visited in an order that would miss small ones, and a
  /// stream of edges would stop at the end of each.
  private static var largePage: Int { 1 << 21 }

  /// Uninitialised memory, which `free` gives back.
  static func allocate(_ count: Int) throws -> UnsafeMutablePointer<Element> {
    let size = count * MemoryLayout<Element>.stride
    let isLarge = size >= 2 * largePage
    var memory: UnsafeMutableRawPointer?
    let alignment = isLarge ? largePage : max(MemoryLayout<Element>.alignment, 64)
    guard posix_memalign(&memory, alignment, size) == 0, let memory else { throw OutOfMemory(size: size) }
    if isLarge { madvise(memory, size, MADV_HUGEPAGE) }
    return memory.assumingMemoryBound(to: Element.self)
  }
}

extension Buffer where Element: Numeric {
  /// A buffer of `count` zeros; without memory for it, the process ends.
  package init(zeros count: Int) {
    self.init()
    reserveOrEnd(count)
    clear(count)
  }

  /// Sets the first `count` elements, for which there is room, to zero.
  package func clear(_ count: Int) { pointer.update(repeating: 0, count: count) }
}

/// Runs `body` on memory whose size no caller decides; where there is none, the process ends, as it does for Swift's
/// own objects.
@inline(__always)
func orEnd<Result>(_ body: () throws -> Result) -> Result {
  do { return try body() } catch { fatalError("\(error)") }
}
