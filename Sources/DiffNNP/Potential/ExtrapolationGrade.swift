#if canImport(Glibc)
  import Glibc
#endif

/// How far the surroundings of an atom lie outside the training data of a potential: less than 1 inside, 1 at the edge
/// of the data, more outside. It is the larger of two numbers.
///
/// - |Aᵀ(f - μ)| for the description f of the atom (`Surroundings`), with mean μ and matrix A for its type: the
///   Mahalanobis distance from the mean of the training data, divided by the largest one of held-out frames.
/// - 1 + 10 (1 - r/r₀) for a neighbour at distance r, with r₀ the smallest distance of the two types in the training
///   data.
public struct ExtrapolationGrade: Equatable, Sendable {
  /// The description f of an atom's surroundings.
  public let surroundings: Surroundings
  /// μ [type][dimension].
  public let means: [Double]
  /// A [type][dimension][dimension], upper triangular.
  public let whitening: [Double]
  /// r₀ (Å) of each pair of types [pair], in the order of `TypePairs.index`; rMax where none came nearer.
  public let closest: [Double]

  /// Increase of the grade as r falls from r₀ to 0.
  private static let steepness = 10.0

  /// A grade with means [type][dimension], whitening matrices [type][dimension][dimension] and smallest distances (Å)
  /// [pair].
  /// - Throws: where the arrays do not fit the surroundings, or a smallest distance is not positive.
  public init(_ surroundings: Surroundings, means: [Double], whitening: [Double], closest: [Double]) throws {
    let (types, dimension) = (surroundings.typeCount, surroundings.dimension)
    guard means.count == types * dimension, whitening.count == types * dimension * dimension,
      closest.count == TypePairs.count(types)
    else {
      throw DiffNNPError(
        "extrapolation grade: \(means.count) means, \(whitening.count) elements of matrices and \(closest.count) "
          + "distances do not fit \(types) types of \(dimension) numbers each")
    }
    guard closest.allSatisfy({ $0 > 0 }) else {
      throw DiffNNPError("extrapolation grade: a smallest distance is \(closest.min()!) Å; expected positive numbers")
    }
    self.surroundings = surroundings
    self.means = means
    self.whitening = whitening
    self.closest = closest
  }

  /// Size of the scratch memory that `grade` and `distance` need (numbers).
  public var scratchSize: Int { surroundings.paddedDimension + 2 * surroundings.dimension }

  /// The grade of a centre of an edge list.
  /// - Parameter scratch: room for `scratchSize` numbers.
  public func grade(of centre: Int, _ edges: EdgeList, scratch: UnsafeMutablePointer<Double>) -> Double {
    max(distance(of: centre, edges, scratch: scratch), nearness(of: centre, edges))
  }

  /// The Mahalanobis distance |Aᵀ(f - μ)| of a centre from the training data, 1 at their edge.
  public func distance(of centre: Int, _ edges: EdgeList, scratch: UnsafeMutablePointer<Double>) -> Double {
    let dimension = surroundings.dimension
    let (f, y) = (scratch, scratch + dimension)
    surroundings.describe(centre, edges, into: f, y + dimension)
    y.update(repeating: 0, count: dimension)
    let type = Int(edges.types[centre])
    means.withUnsafeBufferPointer { means in
      whitening.withUnsafeBufferPointer { whitening in
        let mean = means.baseAddress! + type * dimension
        var row = whitening.baseAddress! + type * dimension * dimension
        for l in 0..<dimension {
          let x = f[l] - mean[l]
          for k in l..<dimension { y[k] += row[k] * x }
          row += dimension
        }
      }
    }
    var squared = 0.0
    for k in 0..<dimension { squared += y[k] * y[k] }
    return squared.squareRoot()
  }

  private func nearness(of centre: Int, _ edges: EdgeList) -> Double {
    EdgePointers(edges).assertSound(for: centre..<centre + 1, typeCount: surroundings.typeCount)
    let a = Int(edges.types[centre])
    var largest = 0.0
    closest.withUnsafeBufferPointer { closest in
      for e in Int(edges.offsets[centre])..<Int(edges.offsets[centre + 1]) where edges.lengths[e] < surroundings.rMax {
        let b = Int(edges.types[Int(edges.neighbours[e])])
        let r0 = closest[TypePairs.index(a, b, typeCount: surroundings.typeCount)]
        largest = max(largest, 1 + Self.steepness * (1 - edges.lengths[e] / r0))
      }
    }
    return largest
  }
}
