import DiffNNP

/// Sums G = Σ Jᵀ J of sparse rows J, each made of runs of four consecutive entries, as gradients of splines are.
///
/// While summing, only A with G = A + Aᵀ is stored, so that each product is added once, on either side of the diagonal.
package final class FeatureSum {
  /// The functions.
  package let basis: PairBasis
  private let matrix: UnsafeMutablePointer<Double>
  /// h, in the padded layout.
  package let vector: UnsafeMutablePointer<Double>
  private let dense: UnsafeMutablePointer<SIMD4<Double>>
  private let size: Int

  /// Sums without rows.
  package init(_ basis: PairBasis) {
    self.basis = basis
    size = basis.paddedCount
    matrix = .allocate(capacity: size * size)
    vector = .allocate(capacity: size)
    dense = .allocate(capacity: size)
    matrix.initialize(repeating: 0, count: size * size)
    vector.initialize(repeating: 0, count: size)
    dense.initialize(repeating: .zero, count: size)
  }

  deinit {
    matrix.deallocate()
    vector.deallocate()
    dense.deallocate()
  }

  /// Four consecutive entries of a row: `values` at `first`..., each times the vector `direction`.
  package struct Run {
    package var first: Int32
    package var values: SIMD4<Double>
    /// Unit vector of the gradient. The fourth lane is zero.
    package var direction: SIMD4<Double>

    package init(first: Int32, values: SIMD4<Double>, direction: SIMD4<Double>) {
      (self.first, self.values, self.direction) = (first, values, direction)
    }
  }

  /// Adds weight · Σ_αβ (Σ_runs values ⊗ direction)_kα (…)_lα: the product of a row, or of three at once, with itself.
  package func addSquare(_ runs: UnsafePointer<Run>, _ count: Int, weight: Double) {
    // One by one, pairs of runs cost count²/2 · 16 products; gathered into dense rows, the square of the entries
    // touched.
    if count > 0 { count < 48 ? addSparse(runs, count, weight) : addDense(runs, count, weight) }
  }

  /// Adds factor · values to h, at a run's entries.
  @inline(__always)
  package func addVector(_ run: Run, _ factor: Double) {
    let to = vector + Int(run.first)
    for k in 0..<4 { to[k] += factor * run.values[k] }
  }

  private func addSparse(_ runs: UnsafePointer<Run>, _ count: Int, _ weight: Double) {
    for e in 0..<count {
      let run = runs[e]
      let rows = UnsafeMutableRawPointer(matrix + Int(run.first) * size)
      for f in 0...e {
        let other = runs[f]
        let factor = (run.direction * other.direction).sum() * (e == f ? 0.5 * weight : weight)
        let scaled = other.values * factor
        let column = 8 * Int(other.first)
        for k in 0..<4 {
          let offset = column + 8 * size * k
          let old = rows.loadUnaligned(fromByteOffset: offset, as: SIMD4<Double>.self)
          rows.storeBytes(of: old + scaled * run.values[k], toByteOffset: offset, as: SIMD4<Double>.self)
        }
      }
    }
  }

  private func addDense(_ runs: UnsafePointer<Run>, _ count: Int, _ weight: Double) {
    let stride = basis.paddedIntervals
    var ranges = Array(repeating: stride..<stride, count: basis.pairCount)
    for e in 0..<count {
      let run = runs[e]
      let first = Int(run.first)
      for k in 0..<4 { dense[first + k] += run.values[k] * run.direction }
      let (pair, entry) = first.quotientAndRemainder(dividingBy: stride)
      let old = ranges[pair]
      ranges[pair] = min(old.lowerBound, entry)..<max(old.isEmpty ? 0 : old.upperBound, entry + 4)
    }
    let touched = ranges.enumerated().filter { !$0.element.isEmpty }.map {
      ($0.offset * stride + $0.element.lowerBound)..<($0.offset * stride + $0.element.upperBound)
    }
    for rows in touched {
      for k in rows where dense[k] != .zero {
        let left = weight * dense[k]
        let row = matrix + k * size
        for columns in touched where columns.lowerBound <= k {
          for l in columns.lowerBound..<min(columns.upperBound, k) { row[l] += (left * dense[l]).sum() }
        }
        row[k] += 0.5 * (left * dense[k]).sum()
      }
    }
    for range in touched { for k in range { dense[k] = .zero } }
  }

  /// The sums, without the functions left out at the cutoff.
  package func form() -> QuadraticForm {
    var form = QuadraticForm(count: basis.count)
    let kept = basis.kept
    for (k, from) in kept.enumerated() {
      form.vector[k] = vector[from]
      for (l, other) in kept.enumerated() {
        form.matrix[k * kept.count + l] = matrix[from * size + other] + matrix[other * size + from]
      }
    }
    return form
  }
}

extension PairBasis {
  /// The gradients ∇_i φ of all functions with respect to the position of centre i, one run for each of its neighbours.
  /// - Parameter displacements: displacements of all atoms from the positions that the edges were found for (Å); nil
  ///   for none.
  package func gradients(
    of i: Int, _ edges: EdgeList, displacements: [SIMD3<Double>]? = nil, into runs: inout [FeatureSum.Run]
  ) {
    let inverse = 1 / spacing
    runs.removeAll(keepingCapacity: true)
    for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) {
      var vector = edges.vectors[e]
      if let displacements { vector += displacements[Int(edges.neighbours[e])] - displacements[i] }
      let squared = (vector * vector).sum()
      guard squared < rMax * rMax, squared > 0 else { continue }
      let r = squared.squareRoot()
      let (first, t) = locate(pair: pair(i, e, edges), r, inverse)
      runs.append(
        .init(first: Int32(first), values: CubicBSpline.basis(t).slope * inverse, direction: SIMD4(vector / -r, 0)))
    }
  }
}
