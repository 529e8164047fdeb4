import Testing

@testable import DiffNNP

@Suite struct NeighbourSearchTests {
  static let cells: [([SIMD3<Double>], [Bool])] = [
    ([[12, 0, 0], [0, 11, 0], [0, 0, 13]], [true, true, true]),
    ([[12, 0, 0], [3, 11, 0], [-2, 4, 13]], [true, true, true]),
    ([[3, 0, 0], [0.5, 2.5, 0], [0, 0.7, 4]], [true, true, true]),
    ([[12, 0, 0], [3, 11, 0], [-2, 4, 13]], [true, false, true]),
    ([[12, 0, 0], [0, 11, 0], [0, 0, 13]], [false, false, false]),
  ]

  @Test(arguments: [[true, true, true], [false, false, false]])
  func cellsTooSmallToComputeWithAreRefused(_ periodic: [Bool]) {
    for vector in [1e-160, 1e-200, 1e160] {
      let error = #expect(throws: DiffNNPError.self) { try Cell(orthogonal: [1, vector, 1], periodic: periodic) }
      #expect(error?.message.hasPrefix("degenerate cell: its vectors ") == true)
    }
  }

  @Test(arguments: cells, [2.0, 4.5, 8.9])
  func agreesWithAllImages(_ geometry: ([SIMD3<Double>], [Bool]), _ cutoff: Double) throws {
    let cell = try Cell(vectors: geometry.0, periodic: geometry.1)
    var random = SystemRandomNumberGenerator()
    let positions = (0..<30).map { _ in
      cell.cartesian(SIMD3.random(in: -1.5...1.5, using: &random))
    }
    let edges = EdgeList()
    try NeighbourSearch().fill(
      edges, Configuration(cell: cell, positions: positions, types: positions.map { _ in 0 }), cutoff: cutoff)

    // Reference: every image within enough cells of each pair.
    let reach = (0..<3).map { cell.periodic[$0] ? Int(cutoff / cell.heights[$0]) + 4 : 0 }
    for i in 0..<positions.count {
      var expected: [Double] = []
      for j in 0..<positions.count {
        for a in -reach[0]...reach[0] {
          for b in -reach[1]...reach[1] {
            for c in -reach[2]...reach[2] where !(i == j && a == 0 && b == 0 && c == 0) {
              let d = positions[j] - positions[i] + cell.cartesian([Double(a), Double(b), Double(c)])
              if length(d) < cutoff { expected.append(Double(j) * 1e3 + length(d)) }
            }
          }
        }
      }
      let found = (Int(edges.offsets[i])..<Int(edges.offsets[i + 1])).map {
        Double(edges.neighbours[$0]) * 1e3 + length(edges.vectors[$0])
      }
      #expect(found.count == expected.count)
      for (x, y) in zip(found.sorted(), expected.sorted()) { #expect(abs(x - y) < 1e-9) }
    }
  }
}
