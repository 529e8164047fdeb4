extension Sequence where Element: Hashable {
  /// The first element that occurred before; nil where all differ.
  public var firstTwice: Element? {
    var seen: Set<Element> = []
    return first { !seen.insert($0).inserted }
  }
}
