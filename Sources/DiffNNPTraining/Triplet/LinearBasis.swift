import DiffNNP

/// The functions of a potential that is linear in its coefficients: those of pairs, then those of triplets, if there
/// are any.
struct LinearBasis {
  let pairs: PairBasis
  var triplets: TripletBasis?

  var count: Int { pairs.count + (triplets?.count ?? 0) }
  /// Cutoff (Å): atoms farther apart do not interact.
  var rMax: Double { max(pairs.rMax, triplets?.rMax ?? 0) }

  /// The number of functions as a sum of products, in words for messages.
  var arithmetic: String {
    guard let triplets else { return pairs.arithmetic }
    return pairs.arithmetic + ", and for each of \(triplets.typeCount) types \(triplets.productCount) of triplets"
  }

  /// The coefficients of pairs among those of all functions.
  func pairPart(_ c: [Double]) -> [Double] { Array(c[..<pairs.count]) }
  /// The coefficients of triplets among those of all functions.
  func tripletPart(_ c: [Double]) -> [Double] { Array(c[pairs.count...]) }
}

/// Prior distribution of the coefficients of a `LinearBasis`.
struct LinearPrior: Equatable, Sendable {
  var smoothness: SmoothnessPrior
  /// Coefficients of triplets come from a Gaussian about 0 of this width (kT).
  var tripletWidth: Double?

  /// Widths for cross-validation. Wider ones leave coefficients free that only surroundings outside the data would
  /// show, and runs find holes there.
  static let tripletWidths = [0.1, 0.3, 1]

  /// Candidates for cross-validation: any width, with the smoothness as it is; none without triplets.
  var widths: [LinearPrior] {
    tripletWidth == nil ? [] : Self.tripletWidths.map { LinearPrior(smoothness: smoothness, tripletWidth: $0) }
  }

  /// Candidates for cross-validation: any smoothness, with the width as it is. Pairs need not be bent to explain what
  /// triplets do, so that another smoothness is best with them.
  var smoothnesses: [LinearPrior] {
    SmoothnessPrior.candidates.map { LinearPrior(smoothness: $0, tripletWidth: tripletWidth) }
  }

  /// Adds the penalty to a form.
  /// - Parameter weight: of the smoothness of pairs; grows with the data.
  func add(to form: inout QuadraticForm, _ basis: LinearBasis, weight: Double) {
    smoothness.add(to: &form, basis.pairs, weight: weight)
    guard let tripletWidth else { return }
    for k in basis.pairs.count..<basis.count { form.matrix[k * form.count + k] += 1 / (tripletWidth * tripletWidth) }
  }
}
