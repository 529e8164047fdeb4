import DiffNNP

/// A part of a potential that is given and not learned, in units of kT: u = u_known + Σ_k c_k φ_k. Candidates differ in
/// its energy, its force is subtracted from labels, and chains run with it. The learned potential does not contain it,
/// so that simulations have to add it.
package protocol KnownPart: Sendable {
  /// Cutoff (Å).
  var rMax: Double { get }
  /// The term that chains run with.
  var term: any Term { get }
  /// Makes an evaluator for one thread.
  func makeEvaluator() -> any KnownPartEvaluating
}

/// Computes a known part for displacements of one atom, the others being fixed. Holds the buffers of one thread.
package protocol KnownPartEvaluating: AnyObject {
  /// Begins a configuration.
  /// - Parameter edges: those of the configuration, which reach beyond the cutoff by the largest displacement of an
  ///   atom.
  func begin(_ configuration: Configuration, _ edges: EdgeList)
  /// The energy (kT), up to a constant, of atom i among all others at `displacement` (Å) from its position.
  /// - Parameter near: the atoms within the cutoff of that point.
  func energy(of i: Int, _ displacement: SIMD3<Double>, _ near: NearbyAtoms.Found) -> Double
  /// The gradient with respect to the position of atom i (kT/Å).
  func gradient(of i: Int) -> SIMD3<Double>
}

/// A known pair potential.
package struct KnownPairs: KnownPart {
  private let pairs: PairTerm

  /// The pair potential of a term, in units of kT.
  package init(_ pairs: PairTerm) { self.pairs = pairs }

  /// A tabulated potential: cubic splines that approximate energies at r = 0, h, 2h, … to fourth order in h, and vanish
  /// smoothly at the cutoff.
  /// - Parameters:
  ///   - rMax: cutoff (Å).
  ///   - energies: in kT [pair][k] at r = k rMax/n, k from 0 to n - 1.
  /// - Throws: where rows are missing or too short.
  package init(typeCount: Int, rMax: Double, energies: [[Double]]) throws {
    guard energies.count == TypePairs.count(typeCount), let n = energies.first?.count, n >= 2,
      energies.allSatisfy({ $0.count == n })
    else {
      throw DiffNNPError(
        "a tabulated potential of \(typeCount) types has rows of \(energies.map(\.count)) energies; expected "
          + "\(TypePairs.count(typeCount)) rows of as many, 2 at least")
    }
    pairs = try PairTerm(typeCount: typeCount, rMax: rMax, intervals: n, free: energies.flatMap(Self.coefficients))
  }

  /// Coefficients of a row by quasi-interpolation, c_{k+1} = (8 u_k - u_{k-1} - u_{k+1}) / 6, which is exact for cubic
  /// polynomials; below r = 0 the row is extrapolated linearly.
  private static func coefficients(_ u: [Double]) -> [Double] {
    let row = [3 * u[0] - 2 * u[1], 2 * u[0] - u[1]] + u
    return u.indices.map { (8 * row[$0 + 1] - row[$0] - row[$0 + 2]) / 6 }
  }

  package var rMax: Double { pairs.rMax }
  package var term: any Term { pairs }
  package func makeEvaluator() -> any KnownPartEvaluating { KnownPairsEvaluator(pairs) }
}

private final class KnownPairsEvaluator: KnownPartEvaluating {
  private let pairs: PairTerm
  private var edges = EdgeList()

  init(_ pairs: PairTerm) { self.pairs = pairs }

  func begin(_ configuration: Configuration, _ edges: EdgeList) { self.edges = edges }

  func energy(of i: Int, _ displacement: SIMD3<Double>, _ near: NearbyAtoms.Found) -> Double {
    (0..<near.count).reduce(0) { sum, k in
      sum + pairs.value(type(i), type(neighbour(Int(near.edges[k]))), at: near.distances[k]).energy
    }
  }

  func gradient(of i: Int) -> SIMD3<Double> {
    (Int(edges.offsets[i])..<Int(edges.offsets[i + 1])).reduce(.zero) { sum, e in
      guard neighbour(e) != i else { return sum }
      let slope = pairs.value(type(i), type(neighbour(e)), at: edges.lengths[e]).slope
      return sum - slope / edges.lengths[e] * edges.vectors[e]
    }
  }

  private func neighbour(_ e: Int) -> Int { Int(edges.neighbours[e]) }
  private func type(_ i: Int) -> Int { Int(edges.types[i]) }
}
