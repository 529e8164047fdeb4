/// Energies and forces of one periodic configuration after the other, neighbours included. For one thread.
public final class Calculator {
  /// Energy, forces and grades of one configuration.
  public struct Result: Sendable {
    /// Potential energy (eV).
    public var energy: Double
    /// Forces (eV/Å) [atoms].
    public var forces: [SIMD3<Double>]
    /// Extrapolation grades [atoms]; nil where the potential has none, or they were not asked for.
    public var grades: [Double]?
  }

  private let evaluator: Evaluator
  private let search = NeighbourSearch()

  /// A calculator of a potential, whose networks compute in the given precision.
  public init(_ potential: Potential, _ precision: Precision = .single) {
    evaluator = Evaluator(potential, precision: precision)
  }

  /// - Parameter grades: whether extrapolation grades are wanted.
  /// - Throws: what `NeighbourSearch` throws.
  public func compute(_ configuration: Configuration, grades wantsGrades: Bool = false) throws -> Result {
    try search.begin(configuration, cutoff: evaluator.potential.rMax)
    var flat = [Double](repeating: 0, count: 3 * configuration.positions.count)
    let hasGrades = wantsGrades && evaluator.potential.grade != nil
    var grades = [Double](repeating: 0, count: hasGrades ? configuration.positions.count : 0)
    let energy = try flat.withUnsafeMutableBufferPointer { forces in
      try grades.withUnsafeMutableBufferPointer { grades in
        try evaluator.compute(
          search, into: .init(forces: forces.baseAddress, atomGrades: hasGrades ? grades.baseAddress : nil))
      }
    }
    let forces = configuration.positions.indices.map { SIMD3(flat[3 * $0], flat[3 * $0 + 1], flat[3 * $0 + 2]) }
    return Result(energy: energy, forces: forces, grades: hasGrades ? grades : nil)
  }
}
