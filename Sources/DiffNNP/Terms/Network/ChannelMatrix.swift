/// Linear maps of channels, y[i][d][w] += Σ_u x[i][d][u] W[u][w] for each atom i and component d: a tile of y, of a few
/// atoms, stays in registers while rows go by.
struct ChannelMatrix<L: Lanes> {
  /// [rows][columnVectors]
  let weights: UnsafePointer<L.Weight>
  let rows: Int
  let rowVectors: Int
  let columnVectors: Int

  /// The matrix of a map of a network, whose weights begin at `lanes`, or its transpose.
  @inline(__always)
  init(_ lanes: UnsafePointer<L.Weight>, _ map: UnsafePointer<NetworkLayout.Linear>, transposed: Bool) {
    let (offset, transpose) = (map.pointee.matrix.offset, map.pointee.matrix.transposed)
    let (inputs, outputs) = (map.pointee.matrix.source.rows, map.pointee.matrix.source.columns)
    let (inputVectors, outputVectors) = (map.pointee.matrix.rowVectors, map.pointee.matrix.columnVectors)
    weights = lanes + (transposed ? transpose : offset)
    rows = transposed ? outputs : inputs
    rowVectors = transposed ? outputVectors : inputVectors
    columnVectors = transposed ? inputVectors : outputVectors
    assert(rows <= rowVectors * L.width)
  }

  /// - Parameters:
  ///   - x: [dimension][rowVectors] for each atom, from one to the next `xStride` vectors.
  ///   - y: [dimension][columnVectors] for each atom, from one to the next `yStride` vectors.
  @inline(__always)
  func apply(
    _ dimension: Int, _ x: UnsafePointer<L>, every xStride: Int, addingTo y: UnsafeMutablePointer<L>,
    every yStride: Int, count: Int
  ) {
    let (x, y) = (Rows(first: x, stride: xStride), Rows(first: y, stride: yStride))
    switch dimension {
    case 1: applyToScalars(x, y, count)
    case 3: applyToVectors(x, y, count)
    case 5: applyToTensors(x, y, count)
    default:
      for d in 0..<dimension {
        applyToScalars(
          .init(first: x.first + d &* rowVectors, stride: xStride),
          .init(first: y.first + d &* columnVectors, stride: yStride), count)
      }
    }
  }

  private typealias Inputs = Rows<UnsafePointer<L>>
  private typealias Outputs = Rows<UnsafeMutablePointer<L>>

  /// Features of consecutive atoms.
  private struct Rows<Pointer> {
    var first: Pointer
    var stride: Int
  }

  // Functions of their own, in which all sizes of a tile are literal: elsewhere its sums would not be in registers.

  @inline(never)
  private func applyToScalars(_ x: Inputs, _ y: Outputs, _ count: Int) { applyTiles(1, atoms: 4, x, y, count) }

  @inline(never)
  private func applyToVectors(_ x: Inputs, _ y: Outputs, _ count: Int) { applyTiles(3, atoms: 2, x, y, count) }

  @inline(never)
  private func applyToTensors(_ x: Inputs, _ y: Outputs, _ count: Int) { applyTiles(5, atoms: 1, x, y, count) }

  /// Tiles of two vectors and as many atoms as asked for, or one where there are no more. No closures: not all would be
  /// inlined.
  @inline(__always)
  private func applyTiles(_ dimension: Int, atoms: Int, _ x: Inputs, _ y: Outputs, _ count: Int) {
    var i = 0
    while i &+ atoms <= count {
      var v = 0
      while v &+ 2 <= columnVectors {
        applyTile(dimension, atoms: atoms, vectors: 2, x, y, i, v)
        v = v &+ 2
      }
      if v < columnVectors { applyTile(dimension, atoms: atoms, vectors: 1, x, y, i, v) }
      i = i &+ atoms
    }
    while i < count {
      for v in 0..<columnVectors { applyTile(dimension, atoms: 1, vectors: 1, x, y, i, v) }
      i = i &+ 1
    }
  }

  @inline(__always)
  private func applyTile(
    _ dimension: Int, atoms: Int, vectors: Int, _ x: Inputs, _ y: Outputs, _ firstAtom: Int, _ firstVector: Int
  ) {
    let (x, xStride) = (x.first + firstAtom &* x.stride, x.stride)
    let (y, yStride) = (y.first + (firstAtom &* y.stride &+ firstVector), y.stride)
    assert(atoms * dimension * vectors <= 12 && firstVector + vectors <= columnVectors)
    var sums = InlineArray<12, L>(repeating: .zero)
    for i in 0..<atoms {
      for d in 0..<dimension {
        for v in 0..<vectors {
          sums[unchecked: (i &* dimension &+ d) &* vectors &+ v] = y[i &* yStride &+ d &* columnVectors &+ v]
        }
      }
    }
    for u in 0..<rows {
      let row = weights + (u &* columnVectors &+ firstVector)
      for i in 0..<atoms {
        for d in 0..<dimension {
          let value = L.load(x + (i &* xStride &+ d &* rowVectors), u)
          for v in 0..<vectors {
            sums[unchecked: (i &* dimension &+ d) &* vectors &+ v].add(weight: row[v], times: value)
          }
        }
      }
    }
    for i in 0..<atoms {
      for d in 0..<dimension {
        for v in 0..<vectors {
          y[i &* yStride &+ d &* columnVectors &+ v] = sums[unchecked: (i &* dimension &+ d) &* vectors &+ v]
        }
      }
    }
  }
}
