import DiffNNP

/// A family of functions of a configuration in which the energy of a potential is linear, u = Σ_k c_k φ_k, with u in
/// units of kT: those of pairs, say. A fit treats a potential as a list of families (`LinearModel`), and knows none by
/// name.
package protocol LinearFeatures: Sendable {
  /// The family's name in tables and messages: `pairs`.
  var name: String { get }
  /// Number of functions.
  var count: Int { get }
  /// The number of functions as a product, in words for messages.
  var arithmetic: String { get }
  /// Cutoff (Å): no function depends on distances beyond it.
  var rMax: Double { get }
  /// Whether the sum of a function over a configuration counts neighbours, so that its ratio to the sum over other
  /// frames compares the numbers of neighbours.
  var countsNeighbours: Bool { get }
  /// Largest useful number of choices of the pseudo-likelihood over all frames; more would hardly improve the
  /// coefficients.
  var choiceCount: Int { get }

  /// Makes an evaluator of the functions for one thread.
  func makeEvaluator() -> any FeatureEvaluating

  // MARK: Prior

  /// Names of the hyperparameter of the coefficients' prior distribution, in tables and in messages: `triplet_width`,
  /// `width of triplets`.
  var priorKey: String { get }
  var priorName: String { get }
  /// Values of the hyperparameter that cross-validation chooses from; it begins with the first.
  var priorCandidates: [Double] { get }
  /// Adds the penalty -log prior to an objective, for the coefficients from `offset` on.
  /// - Parameters:
  ///   - value: the hyperparameter.
  ///   - atomCount: number of atoms in the training data, to which a penalty may be proportional.
  func addPrior(_ value: Double, to form: inout QuadraticForm, offset: Int, atomCount: Double)

  // MARK: Outside the data

  /// Coefficients for simulations, with walls at distances that do not occur in the data.
  func walled(_ coefficients: [Double]) -> [Double]
  /// The term of a potential with these coefficients (kT) [count].
  func term(_ coefficients: [Double]) throws -> any Term
  /// A floor of distances that keeps another term, with a cutoff (Å), from outweighing the walls; nil without walls.
  func floor(within rMax: Double) throws -> DistanceFloor?
}

extension LinearFeatures {
  /// The default: no walls.
  package func walled(_ coefficients: [Double]) -> [Double] { coefficients }
  package func floor(within rMax: Double) throws -> DistanceFloor? { nil }
}

/// Computes the functions of a family. Holds the buffers of one thread.
package protocol FeatureEvaluating: AnyObject {
  /// Begins a configuration.
  /// - Parameter edges: those of the configuration, which reach beyond the cutoff by the largest displacement of an
  ///   atom.
  func begin(_ configuration: Configuration, _ edges: EdgeList)

  /// Removes atom i from the surroundings of its neighbours, so that it can be put at other points.
  func remove(_ i: Int)
  /// Undoes `remove`.
  func restore(_ i: Int)
  /// Writes by how much the functions [count] grow when atom i, which has been removed, is put at `displacement` (Å)
  /// from its position. Contributions of the atom with its own images are left out, as they are the same everywhere.
  /// - Parameter near: the atoms within the cutoff of that point.
  func put(_ i: Int, _ displacement: SIMD3<Double>, _ near: NearbyAtoms.Found, into f: UnsafeMutablePointer<Double>)

  /// Writes the gradients of the functions with respect to the position of atom i (1/Å), those for x, y and z `stride`
  /// numbers apart.
  func gradients(of i: Int, into f: UnsafeMutablePointer<Double>, stride: Int)

  /// Writes the sums of the functions over the configuration [count]: the derivatives of its energy with respect to the
  /// coefficients.
  func sums(into f: UnsafeMutablePointer<Double>)
}
