/// Linear maps of channels, y[d][w] += Σ_u x[d][u] W[u][w] for each component d: a tile of y stays in registers while
/// rows go by.
struct ChannelMatrix<L: Lanes> {
  /// [rows][columnVectors]
  let weights: UnsafePointer<L.Weight>
  let rows: Int
  let rowVectors: Int
  let columnVectors: Int

  /// - Parameters:
  ///   - x: [dimension][rowVectors]
  ///   - y: [dimension][columnVectors]
  @inline(__always)
  func apply(_ dimension: Int, _ x: UnsafePointer<L>, addingTo y: UnsafeMutablePointer<L>) {
    switch dimension {
    case 1: apply(1, tiles: 4, x, y)
    case 3: apply(3, tiles: 2, x, y)
    case 5: apply(5, tiles: 2, x, y)
    default: for d in 0..<dimension { apply(1, tiles: 4, x + d &* rowVectors, y + d &* columnVectors) }
    }
  }

  @inline(__always)
  private func apply(_ dimension: Int, tiles: Int, _ x: UnsafePointer<L>, _ y: UnsafeMutablePointer<L>) {
    var v = 0
    while v &+ tiles <= columnVectors {
      applyTile(dimension, tiles, x, y + v, weights + v)
      v = v &+ tiles
    }
    while v < columnVectors {
      applyTile(dimension, 1, x, y + v, weights + v)
      v = v &+ 1
    }
  }

  @inline(__always)
  private func applyTile(
    _ dimension: Int, _ tiles: Int, _ x: UnsafePointer<L>, _ y: UnsafeMutablePointer<L>, _ w: UnsafePointer<L.Weight>
  ) {
    var sums = InlineArray<10, L>(repeating: .zero)
    for d in 0..<dimension {
      for c in 0..<tiles { sums[unchecked: d &* tiles &+ c] = y[d &* columnVectors &+ c] }
    }
    for u in 0..<rows {
      let row = w + u &* columnVectors
      for d in 0..<dimension {
        let value = L.load(x + d &* rowVectors, u)
        for c in 0..<tiles { sums[unchecked: d &* tiles &+ c].add(weight: row[c], times: value) }
      }
    }
    for d in 0..<dimension {
      for c in 0..<tiles { y[d &* columnVectors &+ c] = sums[unchecked: d &* tiles &+ c] }
    }
  }
}
