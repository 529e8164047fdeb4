import DiffNNP
import DiffNNPFrames

/// Force labels of frames, for potentials that are linear in their coefficients.
struct ForceLabels {
  let basis: LinearBasis
  let frames: Frames
  let blocks: TimeBlocks
  /// kT (eV).
  let thermalEnergy: Double
  let threads: Int
  var ranks = Ranks.one

  /// A label farther than this many standard deviations from the force of a potential is an error, as near a place where
  /// the sampled potential itself broke down: of Gaussian ones hardly one in a million is. (A few such would outweigh all others.)
  static let mostDeviations = 6.0

  /// What the labels ask of coefficients, but for labels that are errors by what a potential makes of them.
  /// - Parameter c: coefficients of that potential.
  func forms(about c: [Double]) throws -> ForceForms {
    let limits = try variances(about: c).map { Self.mostDeviations * Self.mostDeviations * $0 }
    let blockSums = try ranks.map(blocks.count, threads: threads) { block in
      let sums = ForceSums(basis)
      try forEach(in: block, about: c) { row, force, residual, type in
        if residual <= limits[type] { sums.add(row, force, type: type) }
      }
      return ForceTotals(sums)
    }
    let types = 0..<basis.pairs.typeCount
    return ForceForms(
      forms: types.map { type in blockSums.map { $0.forms[type] } },
      squares: types.map { type in blockSums.map { $0.squares[type] } },
      counts: types.map { type in blockSums.map { $0.counts[type] } })
  }

  /// Of what a potential leaves of the labels, for each type, in (kT/Å)² a component: from the median of squares, which errors do
  /// not move.
  private func variances(about c: [Double]) throws -> [Double] {
    let residuals = try ranks.map(blocks.count, threads: threads) { block in
      var residuals = Array(repeating: [Double](), count: basis.pairs.typeCount)
      try forEach(in: block, about: c) { _, _, residual, type in residuals[type].append(residual) }
      return residuals
    }
    return (0..<basis.pairs.typeCount).map { type in
      let sorted = residuals.flatMap { $0[type] }.sorted()
      return sorted.isEmpty ? 1 : max(sorted[sorted.count / 2] / Self.medianOfSquares, 1e-6)
    }
  }

  /// The median of χ² with three degrees of freedom.
  private static let medianOfSquares = 2.366

  /// Calls `body` for all atoms of a block with the gradients of all functions [3][count], the label (kT/Å), the square of
  /// what the potential leaves of it, and the type.
  private func forEach(
    in block: Int, about c: [Double], _ body: (UnsafePointer<Double>, SIMD3<Double>, Double, Int) -> Void
  ) throws {
    let features = AtomFeatures(basis, reach: 0)
    let count = basis.count
    let row = UnsafeMutablePointer<Double>.allocate(capacity: 3 * count)
    defer { row.deallocate() }
    for f in blocks.ranges[block] {
      let frame = try frames.frame(at: f)
      try features.begin(frame.configuration)
      for i in frame.positions.indices {
        let force = try label(frame, i)
        features.gradients(of: i, into: row)
        let left = c.withUnsafeBufferPointer { c in
          force
            + SIMD3(
              QuadraticForm.dot(row, c.baseAddress!, count), QuadraticForm.dot(row + count, c.baseAddress!, count),
              QuadraticForm.dot(row + 2 * count, c.baseAddress!, count))
        }
        body(row, force, (left * left).sum(), frame.configuration.types[i])
      }
    }
  }

  /// F/kT on an atom.
  private func label(_ frame: Frame, _ i: Int) throws -> SIMD3<Double> {
    let force = frame.forces![i] / thermalEnergy
    guard (force * force).sum().isFinite else {
      throw DiffNNPError("force on atom \(i + 1) of frame \(frame.number) is not finite")
    }
    return force
  }
}

/// The objective of force matching, ½ c'Gc - h'c with G = E[∇φ·∇φ] and h = -E[F/kT·∇φ], for the forces on each type of atom
/// and block of time. Kept apart by type, so that types can be weighted by the noise of their labels.
struct ForceForms {
  /// [type][block].
  let forms: [[QuadraticForm]]
  /// Σ |F/kT|² and the number of force components, for each type and block.
  let squares: [[Double]]
  let counts: [[Int]]

  /// Mean square of what a potential leaves of the labels, for each type, in (kT/Å)² a component.
  func variances(about c: [Double]) -> [Double] {
    forms.indices.map { type in
      let sum = squares[type].reduce(0, +) + 2 * forms[type].reduce(0) { $0 + $1.value(c) }
      return max(sum / Double(max(1, counts[type].reduce(0, +))), 1e-6)
    }
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
  private let count: Int
  private let sums: [SymmetricSum]
  private var vectors: [[Double]]
  private(set) var squares: [Double]
  private(set) var counts: [Int]

  init(_ basis: LinearBasis) {
    count = basis.count
    let types = 0..<basis.pairs.typeCount
    sums = types.map { _ in SymmetricSum(basis.count) }
    vectors = types.map { _ in Array(repeating: 0, count: basis.count) }
    squares = types.map { _ in 0 }
    counts = types.map { _ in 0 }
  }

  /// - Parameters:
  ///   - row: gradients [3][count].
  ///   - force: F/kT.
  func add(_ row: UnsafePointer<Double>, _ force: SIMD3<Double>, type: Int) {
    for axis in 0..<3 {
      let slopes = row + axis * count
      sums[type].add(slopes)
      for k in 0..<count { vectors[type][k] -= force[axis] * slopes[k] }
    }
    squares[type] += (force * force).sum()
    counts[type] += 3
  }

  func form(ofType type: Int) -> QuadraticForm {
    var form = QuadraticForm(count: count)
    form.matrix = sums[type].result()
    form.vector = vectors[type]
    return form
  }
}
