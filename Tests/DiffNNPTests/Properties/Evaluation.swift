@testable import DiffNNP

/// All that an evaluator gives for one configuration.
struct Evaluation {
  var energy: Double
  var atomEnergies: [Double]
  var forces: [SIMD3<Double>]
  /// xx, yy, zz, xy, xz, yz.
  var virial: [Double]
  /// The same for each atom.
  var atomVirials: [[Double]]
  /// xx, yy, zz, xy, xz, yz, yx, zx, zy of each atom.
  var centroidVirials: [[Double]]

  /// The largest force.
  var largestForce: Double { forces.map(length).max() ?? 0 }
}

extension Evaluator {
  /// - Parameter keepingEdges: whether all edges are found first.
  func evaluate(_ configuration: Configuration, keepingEdges: Bool = false) throws -> Evaluation {
    let n = configuration.positions.count
    let (edges, search) = (EdgeList(), NeighbourSearch())
    try search.begin(configuration, cutoff: potential.rMax)
    if keepingEdges { try search.fill(edges) }
    var (atomEnergies, forces) = ([Double](repeating: 0, count: n), [Double](repeating: 0, count: 3 * n))
    var virial = [Double](repeating: 0, count: 6)
    var (atomVirials, centroidVirials) = ([Double](repeating: 0, count: 6 * n), [Double](repeating: 0, count: 9 * n))
    let energy = try atomEnergies.withUnsafeMutableBufferPointer { e in
      try forces.withUnsafeMutableBufferPointer { f in
        try virial.withUnsafeMutableBufferPointer { v in
          try atomVirials.withUnsafeMutableBufferPointer { a in
            try centroidVirials.withUnsafeMutableBufferPointer { c in
              let outputs = Outputs(
                atomEnergies: e.baseAddress!, forces: f.baseAddress!, virial: v.baseAddress!,
                atomVirials: a.baseAddress!, centroidVirials: c.baseAddress!)
              return keepingEdges ? compute(edges, into: outputs) : try compute(search, into: outputs)
            }
          }
        }
      }
    }
    return Evaluation(
      energy: energy, atomEnergies: atomEnergies,
      forces: (0..<n).map { [forces[3 * $0], forces[3 * $0 + 1], forces[3 * $0 + 2]] }, virial: virial,
      atomVirials: (0..<n).map { Array(atomVirials[6 * $0..<6 * $0 + 6]) },
      centroidVirials: (0..<n).map { Array(centroidVirials[9 * $0..<9 * $0 + 9]) })
  }
}
