/// Energies and forces of one periodic configuration after the other, neighbours included. For one thread.
public final class Calculator {
  public struct Result: Sendable {
    /// eV.
    public var energy: Double
    /// eV/Å [atoms].
    public var forces: [SIMD3<Double>]
  }

  private let evaluator: Evaluator
  private let search = NeighbourSearch()
  private let edges = EdgeList()

  public init(_ potential: Potential, _ precision: Precision = .single) {
    evaluator = Evaluator(potential, precision: precision)
  }

  /// - Throws: what `NeighbourSearch` throws.
  public func compute(_ configuration: Configuration) throws -> Result {
    try search.fill(edges, configuration, cutoff: evaluator.potential.rMax)
    var flat = [Double](repeating: 0, count: 3 * configuration.positions.count)
    let energy = flat.withUnsafeMutableBufferPointer {
      evaluator.compute(edges, into: .init(forces: $0.baseAddress))
    }
    let forces = configuration.positions.indices.map { SIMD3(flat[3 * $0], flat[3 * $0 + 1], flat[3 * $0 + 2]) }
    return Result(energy: energy, forces: forces)
  }
}
