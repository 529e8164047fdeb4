import DiffNNP

/// A family of functions of a configuration in which the energy of a potential is linear, u = Σ_k c_k φ_k, with u in
/// units of kT: those of pairs, say. A fit knows a potential as a list of families (`LinearModel`), and none by name.
package protocol LinearFeatures: Sendable {
  /// The family's name in tables and messages: `pairs`.
  var name: String { get }
  /// Number of functions.
  var count: Int { get }
  /// The number of functions as a product, in words for messages.
  var arithmetic: String { get }
  /// Cutoff (Å): atoms farther apart do not meet in any function.
  var rMax: Double { get }
  /// Whether sums of a function over a configuration count neighbours, so that their ratio to those of other frames says
  /// how alike these are.
  var countsNeighbours: Bool { get }
  /// Choices of the pseudo-likelihood, over all frames, that the coefficients are worth, at most.
  var choiceCount: Int { get }

  /// What computes the functions, for one thread.
  func makeEvaluator() -> any FeatureEvaluating

  // MARK: Prior

  /// What tables call the adjustable number of the prior distribution of the coefficients, and what messages do:
  /// `triplet_width`, `width of triplets`.
  var priorKey: String { get }
  var priorName: String { get }
  /// Values of that number that cross-validation chooses from; the first is where it begins.
  var priorCandidates: [Double] { get }
  /// Adds the penalty -log prior to an objective, for the coefficients from `offset` on.
  /// - Parameters:
  ///   - value: of the adjustable number.
  ///   - atomCount: atoms of the training data, with which a prior may grow.
  func addPrior(_ value: Double, to form: inout QuadraticForm, offset: Int, atomCount: Double)

  // MARK: Where the data say nothing

  /// Coefficients as they are run: with walls at distances that the data do not show.
  func walled(_ coefficients: [Double]) -> [Double]
  /// The term of a potential with these coefficients (kT) [count].
  func term(_ coefficients: [Double]) throws -> any Term
  /// A floor of distances with which another term, with a cutoff (Å), does not outweigh the walls; nil without walls.
  func floor(within rMax: Double) throws -> DistanceFloor?
}

extension LinearFeatures {
  /// The default: no walls.
  package func walled(_ coefficients: [Double]) -> [Double] { coefficients }
  package func floor(within rMax: Double) throws -> DistanceFloor? { nil }
}

/// Computes the functions of a family. Holds the buffers of one thread.
package protocol FeatureEvaluating: AnyObject {
  /// Begins with a configuration.
  /// - Parameter edges: those of the configuration, which reach as far beyond the cutoff as atoms may be moved.
  func begin(_ configuration: Configuration, _ edges: EdgeList)

  /// Removes atom i from the surroundings of its neighbours, so that it can be put elsewhere.
  func remove(_ i: Int)
  /// Undoes `remove`.
  func restore(_ i: Int)
  /// Writes by how much the functions [count] grow when atom i, which is removed, is put at `displacement` (Å) from its
  /// position, without what it has with its own images, which is the same everywhere.
  /// - Parameter near: the atoms within the cutoff there.
  func put(_ i: Int, _ displacement: SIMD3<Double>, _ near: NearbyAtoms.Found, into f: UnsafeMutablePointer<Double>)

  /// Writes the gradients of the functions with respect to the position of atom i (1/Å), those for x, y and z `stride`
  /// numbers apart.
  func gradients(of i: Int, into f: UnsafeMutablePointer<Double>, stride: Int)

  /// Writes the sums of the functions over the configuration [count]: the derivatives of its energy with respect to the
  /// coefficients.
  func sums(into f: UnsafeMutablePointer<Double>)
}
