#if canImport(Glibc)
  import Glibc
#endif
import DiffNNP

/// Prior distribution of pair potentials: they are smooth, and more so at long range. The penalty
///   ½ λ Σ_pairs ∫ (r/3 Å)^8 u'''(r)² dr
/// does not penalise parabolas, so that wells and walls are not flattened. The exponent is between those of smoothness
/// in log r, 5, and in 1/r, near 10.
package struct SmoothnessPrior: Equatable, Sendable {
  /// λ (Å⁵) per atom of a frame.
  package var strength: Double

  package init(strength: Double) { self.strength = strength }

  /// Strengths for cross-validation.
  package static let strengths = (-8...0).map { 1e-5 * exp(0.5 * log(10) * Double($0)) }

  /// Exponent of the weight with distance. Compared with known forces of ions, 8 is better than 5 and 11, for 100
  /// frames as for 3000; cross-validation cannot tell the difference.
  private static let growth = 8.0

  /// Adds `weight` times the penalty, as differences of the coefficients, to the form's matrix from (offset, offset).
  package func add(to form: inout QuadraticForm, _ basis: PairBasis, weight: Double, offset: Int = 0) {
    let h = basis.spacing
    let stencil = [-1.0, 3, -3, 1]
    for pair in 0..<basis.pairCount {
      let row = offset + pair * basis.intervals
      for k in 0..<basis.intervals {
        let r = max(Double(k) * h, 1)
        let factor = weight * strength * exp(Self.growth * log(r / 3)) / (h * h * h * h * h)
        for a in 0..<4 where k + a < basis.intervals {
          for b in 0..<4 where k + b < basis.intervals {
            form.matrix[(row + k + a) * form.count + row + k + b] += factor * stencil[a] * stencil[b]
          }
        }
      }
    }
  }
}
