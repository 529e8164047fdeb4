import DiffNNP
import DiffNNPFrames

extension LinearFit {
  /// A combination of objective and priors, with its result in cross-validation.
  public struct Candidate: Equatable, Sendable {
    /// What was minimised: `pseudo-likelihood`, ….
    public var name: String
    /// The hyperparameter of each prior, in the order of `Result.priorKeys`, for the families that were fitted.
    public var priors: [Double]
    /// Mean over frames of the objective on held-out blocks.
    public var heldOut: Double

    /// A candidate with its numbers.
    package init(name: String, priors: [Double], heldOut: Double) {
      (self.name, self.priors, self.heldOut) = (name, priors, heldOut)
    }
  }

  /// The potential that was fitted, and how it was chosen.
  public struct Result: Sendable {
    /// The functions.
    package let model: LinearModel
    /// Coefficients of all functions (kT), without walls.
    package var coefficients: [Double]
    /// Blocks of time of the cross-validation.
    public let blocks: TimeBlocks
    /// Noise level of the potential (Å): 0, except for recipes that learn the density of noised frames.
    package var sigma = 0.0
    /// Smallest distance in the data for each pair of types (Å): `smallestDistances`; without outliers, where walls
    /// begin: `wallDistances`. Infinite for pairs that never meet.
    public let smallestDistances: [Double]
    public let wallDistances: [Double]
    /// All `candidates` that were compared, in the order tried, and those `chosen` in each stage.
    public let candidates: [Candidate]
    public let chosen: [Candidate]
    /// Held-out objective at σ → 0, E[½|s|² + div s] for a frame, of the final choice of pairs alone; lower is better.
    public let heldOutObjective: Double
    /// The minimum of the pseudo-likelihood, for a refinement by the likelihood; nil without one.
    var minimum: LikelihoodMinimum?

    /// A result of given candidates.
    package init(
      model: LinearModel, coefficients: [Double], blocks: TimeBlocks, sigma: Double = 0, smallestDistances: [Double],
      wallDistances: [Double], candidates: [Candidate], chosen: [Candidate], heldOutObjective: Double
    ) {
      (self.model, self.coefficients, self.blocks, self.sigma) = (model, coefficients, blocks, sigma)
      (self.smallestDistances, self.wallDistances) = (smallestDistances, wallDistances)
      (self.candidates, self.chosen, self.heldOutObjective) = (candidates, chosen, heldOutObjective)
    }

    /// The result of stages of a minimisation.
    init(
      model: LinearModel, coefficients: [Double], blocks: TimeBlocks, smallestDistances: [Double],
      wallDistances: [Double], _ stages: [LinearMinimiser.Minimum], heldOutObjective: Double,
      minimum: LikelihoodMinimum?
    ) {
      self.init(
        model: model, coefficients: coefficients, blocks: blocks, smallestDistances: smallestDistances,
        wallDistances: wallDistances, candidates: stages.flatMap { stage in stage.trials.map { stage.candidate($0) } },
        chosen: stages.map { $0.candidate($0.chosen) }, heldOutObjective: heldOutObjective)
      self.minimum = minimum
    }

    /// Names of the priors' hyperparameters in tables, `priorKeys`, and in messages, `priorNames`.
    public var priorKeys: [String] { model.features.map(\.priorKey) }
    public var priorNames: [String] { model.features.map(\.priorName) }

    /// The families of functions: their names, numbers and cutoffs (Å).
    public var functions: [(name: String, count: Int, rMax: Double)] {
      model.features.map { ($0.name, $0.count, $0.rMax) }
    }

    /// The learned terms of the potential, with their walls, in units of kT.
    /// - Throws: where a coefficient is not finite.
    public func terms() throws -> [any Term] { try model.terms(model.walled(coefficients)) }

    /// The learned potential and that of the known part, in units of kT, which add up.
    func potentials(_ typeNames: [String]) throws -> [Potential] {
      try model.potentials(model.walled(coefficients), typeNames: typeNames, energyScale: 1)
    }

    /// The result with other coefficients of all functions.
    func with(_ coefficients: [Double]) -> Result {
      var result = self
      result.coefficients = coefficients
      return result
    }

    /// The floor of distances that keeps another term of the potential, with a cutoff (Å), from outweighing the walls.
    func floor(within rMax: Double) throws -> DistanceFloor {
      try model.features.lazy.compactMap { try $0.floor(within: rMax) }.first ?? .none
    }

    /// Metadata of a weight file: properties of the frames that were fitted, and the noise level.
    /// - Parameter temperature: of the frames (K).
    public func metadata(_ trajectory: Trajectory, temperature: Double) -> PotentialMetadata {
      var metadata = PotentialMetadata()
      metadata.temperature = temperature
      metadata.densities = trajectory.densities
      metadata.cell = trajectory.meanCell
      metadata.sigma = sigma
      metadata.smallestDistances = smallestDistances
      return metadata
    }
  }
}

extension LinearMinimiser.Minimum {
  fileprivate func candidate(_ trial: LinearMinimiser.Trial) -> LinearFit.Candidate {
    LinearFit.Candidate(name: name, priors: trial.priors, heldOut: trial.heldOut)
  }
}
