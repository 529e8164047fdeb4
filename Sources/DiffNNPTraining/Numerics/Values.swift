/// Numbers in a place of their own, which only grows.
final class Values<Number: Numeric> {
  private(set) var start: UnsafeMutablePointer<Number>
  private var capacity: Int

  init(_ count: Int = 0) {
    capacity = max(count, 1)
    start = .allocate(capacity: capacity)
    start.initialize(repeating: 0, count: capacity)
  }

  deinit { start.deallocate() }

  /// What was there is lost where it has to grow.
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
