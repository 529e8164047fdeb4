/// An array of numbers at a fixed address, whose memory only grows.
final class Values<Number: Numeric> {
  private(set) var start: UnsafeMutablePointer<Number>
  private var capacity: Int

  init(_ count: Int = 0) {
    capacity = max(count, 1)
    start = .allocate(capacity: capacity)
    start.initialize(repeating: 0, count: capacity)
  }

  deinit { start.deallocate() }

  /// Makes room for `count` numbers; where the memory has to grow, its contents are lost.
  func reserve(_ count: Int) {
    guard count > capacity else { return }
    start.deallocate()
    capacity = count + count / 4
    start = .allocate(capacity: capacity)
    start.initialize(repeating: 0, count: capacity)
  }

  @inline(__always)
  func clear(_ count: Int) { start.update(repeating: 0, count: count) }
}
