/// Hyperparameters of a network of the NequIP family, under NequIP's names (nequip 0.5).
public struct NetworkArchitecture: Equatable, Sendable {
  /// Activation functions for even and odd scalars.
  public struct Nonlinearity: Equatable, Sendable {
    /// Function of even scalars: `e`.
    public var even: String
    /// Function of odd scalars, which must be odd or even itself: `o`.
    public var odd: String

    /// Activation functions by NequIP's names: silu, tanh, ssp or abs.
    public init(even: String = "silu", odd: String = "tanh") {
      self.even = even
      self.odd = odd
    }
  }

  /// Names of the atom types: `type_names`.
  public var typeNames: [String]
  /// Cutoff r_max (Å).
  public var rMax: Double
  /// Number of message-passing layers: `num_layers`.
  public var numLayers: Int
  /// Type embedding, scalars: `chemical_embedding_irreps_out`.
  public var chemicalEmbedding: Irreps
  /// Features between layers: `feature_irreps_hidden`.
  public var features: Irreps
  /// Spherical harmonics of edges: `irreps_edge_sh`.
  public var edgeHarmonics: Irreps
  /// Scalars before the last linear layer: `conv_to_output_hidden_irreps_out`.
  public var outputHidden: Irreps
  /// Bessel functions of the distance: `num_basis`.
  public var numBasis: Int
  /// Exponent of the polynomial cutoff: `PolynomialCutoff_p`.
  public var cutoffExponent: Double
  /// Hidden layers of the radial network: `invariant_layers`.
  public var invariantLayers: Int
  /// Width of the radial network's hidden layers: `invariant_neurons`.
  public var invariantNeurons: Int
  /// Messages are divided by the square root of this; nil means they are not: `avg_num_neighbors`.
  public var avgNumNeighbors: Double?
  /// Whether layers have self-connections: `use_sc`.
  public var useSelfConnection = true
  /// Activation functions of scalar features: `nonlinearity_scalars`.
  public var nonlinearityScalars = Nonlinearity()
  /// Activation functions of the scalars that gate vectors and tensors: `nonlinearity_gates`.
  public var nonlinearityGates = Nonlinearity()
  /// Floor of the distances that radial functions use; not in NequIP.
  public var floor = DistanceFloor.none

  /// A network for training: l ≤ lMax with natural parity, so that the energy is invariant under reflections with the
  /// fewest paths.
  public init(
    typeNames: [String], rMax: Double, numLayers: Int, lMax: Int, numFeatures: Int, numBasis: Int = 8,
    invariantLayers: Int = 2, invariantNeurons: Int = 32, cutoffExponent: Double = 6, avgNumNeighbors: Double
  ) {
    func natural(_ multiplicity: Int) -> Irreps {
      Irreps(stride(from: 0, through: lMax, by: 1).map { .init(multiplicity, Irrep($0, $0 % 2 == 0 ? 1 : -1)) })
    }
    self.typeNames = typeNames
    self.rMax = rMax
    self.numLayers = numLayers
    chemicalEmbedding = Irreps([.init(numFeatures, .scalar)])
    features = natural(numFeatures)
    edgeHarmonics = natural(1)
    outputHidden = Irreps([.init(max(1, numFeatures / 2), .scalar)])
    self.numBasis = numBasis
    self.cutoffExponent = cutoffExponent
    self.invariantLayers = invariantLayers
    self.invariantNeurons = invariantNeurons
    self.avgNumNeighbors = avgNumNeighbors
  }

  /// Largest degree of the edges' harmonics.
  public var lMax: Int { edgeHarmonics.blocks.map(\.irrep.l).max() ?? 0 }
}
