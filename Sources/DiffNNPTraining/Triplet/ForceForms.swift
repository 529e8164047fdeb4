import DiffNNP
import DiffNNPFrames

/// The objective of force matching, ½ c'Gc - h'c with G = E[∇φ·∇φ] and h = -E[F/kT·∇φ], for the forces on each type of atom
/// and block of time. Kept apart by type, so that types can be weighted by the noise of their labels.
public struct ForceForms: Sendable {
  /// [type][block].
  public let forms: [[QuadraticForm]]
  /// Σ |F/kT|² and the number of force components, for each type and block.
  public let squares: [[Double]]
  public let counts: [[Int]]

  init(forms: [[QuadraticForm]], squares: [[Double]], counts: [[Int]]) {
    self.forms = forms
    self.squares = squares
    self.counts = counts
  }

  /// - Parameter thermalEnergy: kT (eV).
  init(
    _ basis: LinearBasis, _ frames: Frames, blocks: TimeBlocks, thermalEnergy: Double, threads: Int,
    ranks: Ranks = .one
  ) throws {
    let blockSums = try ranks.map(blocks.count, threads: threads) { block in
      let sums = ForceSums(basis)
      for f in blocks.ranges[block] { try sums.add(frames[f], thermalEnergy: thermalEnergy) }
      return ForceTotals(sums)
    }
    let types = 0..<basis.pairs.typeCount
    self.init(
      forms: types.map { type in blockSums.map { $0.forms[type] } },
      squares: types.map { type in blockSums.map { $0.squares[type] } },
      counts: types.map { type in blockSums.map { $0.counts[type] } })
  }
}

/// What remains of the sums over one block.
private struct ForceTotals: Parcelled {
  /// For each type.
  let forms: [QuadraticForm]
  let squares: [Double]
  let counts: [Int]

  init(_ sums: ForceSums) {
    forms = sums.counts.indices.map { sums.form(ofType: $0) }
    (squares, counts) = (sums.squares, sums.counts)
  }

  init(from parcel: inout Parcel) { (forms, squares, counts) = (parcel.take(), parcel.take(), parcel.take()) }

  func put(into parcel: inout Parcel) {
    parcel.put(forms)
    parcel.put(squares)
    parcel.put(counts)
  }
}

/// The sums over one block of frames.
private final class ForceSums {
  private let basis: LinearBasis
  private let features: AtomFeatures
  private let sums: [SymmetricSum]
  private var vectors: [[Double]]
  private var row: [Double]
  var squares: [Double]
  var counts: [Int]

  init(_ basis: LinearBasis) {
    self.basis = basis
    features = AtomFeatures(basis, reach: 0)
    let types = 0..<basis.pairs.typeCount
    sums = types.map { _ in SymmetricSum(basis.count) }
    vectors = types.map { _ in Array(repeating: 0, count: basis.count) }
    row = Array(repeating: 0, count: 3 * basis.count)
    squares = types.map { _ in 0 }
    counts = types.map { _ in 0 }
  }

  func add(_ frame: Frame, thermalEnergy: Double) throws {
    try features.begin(frame.configuration)
    for i in frame.positions.indices {
      let (force, type) = (frame.forces![i] / thermalEnergy, frame.configuration.types[i])
      row.withUnsafeMutableBufferPointer { row in
        features.gradients(of: i, into: row.baseAddress!)
        for axis in 0..<3 {
          let slopes = row.baseAddress! + axis * basis.count
          sums[type].add(slopes)
          for k in 0..<basis.count { vectors[type][k] -= force[axis] * slopes[k] }
        }
      }
      squares[type] += (force * force).sum()
      counts[type] += 3
    }
  }

  func form(ofType type: Int) -> QuadraticForm {
    var form = QuadraticForm(count: basis.count)
    form.matrix = sums[type].result()
    form.vector = vectors[type]
    return form
  }
}
