import DiffNNP

/// A potential that is linear in its coefficients, in units of kT: a list of families of functions, and perhaps a known
/// part without coefficients. Coefficients of the families follow each other in the order of the list.
package struct LinearModel: Sendable {
  package let features: [any LinearFeatures]
  package let known: (any KnownPart)?
  /// Index of each family's first coefficient.
  package let offsets: [Int]
  /// Number of all functions.
  package let count: Int
  /// Cutoff (Å): atoms farther apart do not interact.
  package let rMax: Double

  package init(_ features: [any LinearFeatures], known: (any KnownPart)? = nil) {
    (self.features, self.known) = (features, known)
    offsets = Array(features.reduce(into: [0]) { $0.append($0.last! + $1.count) }.dropLast())
    count = features.reduce(0) { $0 + $1.count }
    rMax = features.reduce(known?.rMax ?? 0) { max($0, $1.rMax) }
  }

  /// The number of functions as a sum of products, in words for messages.
  var arithmetic: String { features.map(\.arithmetic).joined(separator: ", and ") }

  /// The functions whose sums count neighbours.
  var countingFunctions: [Int] {
    features.indices.filter { features[$0].countsNeighbours }.flatMap { offsets[$0]..<offsets[$0] + features[$0].count }
  }

  /// Largest useful number of choices of the pseudo-likelihood over all frames.
  var choiceCount: Int { features.reduce(0) { $0 + $1.choiceCount } }

  /// The coefficients of one family among all.
  func coefficients(ofFamily k: Int, in c: [Double]) -> [Double] {
    Array(c[offsets[k]..<offsets[k] + features[k].count])
  }

  /// Coefficients with walls at distances that do not occur in the data.
  func walled(_ c: [Double]) -> [Double] {
    features.indices.flatMap { features[$0].walled(coefficients(ofFamily: $0, in: c)) }
  }

  /// The learned terms of a potential with these coefficients, which should be `walled` for simulations.
  /// - Throws: where the number of coefficients is not that of the functions.
  func terms(_ c: [Double]) throws -> [any Term] {
    try features.indices.map { try features[$0].term(coefficients(ofFamily: $0, in: c)) }
  }

  /// The learned potential with these coefficients and that of the known part, which add up.
  /// - Parameter energyScale: unit of their energies, kT, in that of the potentials.
  /// - Throws: what `terms` throws.
  func potentials(_ c: [Double], typeNames: [String], energyScale: Double) throws -> [Potential] {
    try ([terms(c)] + (known.map { [[$0.term]] } ?? [])).map {
      try Potential(typeNames: typeNames, energyScale: energyScale, terms: $0)
    }
  }

  /// Adds the penalties of all families to an objective.
  /// - Parameters:
  ///   - priors: the hyperparameter of each family's prior.
  ///   - atomCount: number of atoms in the training data.
  func addPriors(_ priors: [Double], to form: inout QuadraticForm, atomCount: Double) {
    for (k, family) in features.enumerated() {
      family.addPrior(priors[k], to: &form, offset: offsets[k], atomCount: atomCount)
    }
  }
}
