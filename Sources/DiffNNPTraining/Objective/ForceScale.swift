#if canImport(Glibc)
  import Glibc
#endif
import DiffNNP
import DiffNNPFrames

/// The ratio of given forces to what they should be: a ratio of sums over frames, with its standard error.
public struct ForceScale: Sendable {
  /// The ratio: 1 for forces that are right.
  public let slope: Double
  /// Standard error of the slope, from groups of consecutive frames; infinite where there are fewer than three.
  public let error: Double
  /// The mean difference of numerator and denominator over its standard error. Unlike the slope's error, which takes
  /// the denominator as known, it includes the fluctuations of both where the slope is 1.
  private let difference: Double
  /// Number of standard errors that chance does not explain, as rare as four of a normal distribution; larger where few
  /// groups determine the standard error.
  private let significance: Double

  /// The ratio of sums over groups.
  /// - Parameter groups: numerator and denominator of the ratio, for groups of frames.
  public init(groups: [(numerator: Double, denominator: Double)]) {
    let count = Double(groups.count)
    let numerator = groups.reduce(0) { $0 + $1.numerator }
    let denominator = groups.reduce(0) { $0 + $1.denominator }
    /// The standard error of the sum over groups of numerator - slope · denominator.
    func error(_ slope: Double) -> Double {
      let mean = (numerator - slope * denominator) / count
      let squares = groups.reduce(0) { sum, group in
        let residual = group.numerator - slope * group.denominator - mean
        return sum + residual * residual
      }
      return groups.count < 3 ? .infinity : (squares * count / (count - 1)).squareRoot()
    }
    slope = numerator / denominator
    self.error = error(slope) / abs(denominator)
    difference = (numerator - denominator) / error(1)
    significance = 4 * (1 + 8 / exp(1.5 * log(max(1, count - 1))))
  }

  /// Differences from 1 that integration errors and a thermostat a little off may make.
  private static let tolerance = 0.1

  /// Whether the slope is known precisely enough to judge by.
  public var isKnown: Bool { error.isFinite && significance * error < max(0.5, 0.5 * abs(slope)) }
  /// Whether the slope is neither 1 nor near it, beyond what chance explains.
  public var isWrong: Bool { abs(difference) > significance && abs(slope - 1) > Self.tolerance + 2 * error }

  /// The slope with its standard error, in significant digits.
  public var text: String {
    error.isFinite
      ? "\(Self.digits(slope, error)) ± \(Self.digits(error, error))" : "\(Self.digits(slope, slope / 100))"
  }

  private static func digits(_ x: Double, _ error: Double) -> Double {
    guard x.isFinite, error.isFinite, error != 0 else { return x }
    let unit = exp(log(10) * (log10(abs(error)).rounded(.down) - 1))
    return unit < 1 ? (x / unit).rounded() / (1 / unit).rounded() : (x / unit).rounded() * unit
  }

  /// The likely cause of a slope that is not 1; nil where none is known.
  /// - Parameter temperature: of the frames (K), as it was given.
  public func cause(temperature: Double) -> String? {
    if abs(slope) <= 2 * error { return "they have nothing to do with the configurations" }
    if let unit { return unit }
    guard 0.2...5 ~= slope else { return nil }
    return "they look like those of \((slope * temperature).rounded()) K"
  }

  /// The units, of either sign, that would explain the slope; nil where none is known.
  var unit: String? {
    let tolerance = error.isFinite ? max(0.05, 2 * error / abs(slope)) : 0.1
    let units = ForceUnit.candidates(for: slope, within: tolerance)
    guard !units.isEmpty else { return nil }
    let sign = slope < 0 ? ", with the other sign: gradients" : ""
    return "they look like " + units.prefix(3).map(\.text).joined(separator: " or ") + sign
  }

  /// Measures forces by the configurations alone, for each type of atom: in equilibrium ⟨F·f⟩ = -kT ⟨div f⟩ for any
  /// field f (the hypervirial theorem, by partial integration of exp(-U/kT)), whatever noise of mean 0 the forces
  /// carry. For f, the force of a pair potential serves that was fitted to the configurations of the other blocks, so
  /// that it owes nothing to those it is tried on.
  /// - Parameters:
  ///   - frames: with forces (eV/Å) in each.
  ///   - coefficients: of that pair potential, for each block.
  ///   - thermalEnergy: kT (eV).
  static func measure(
    _ frames: Frames, _ blocks: TimeBlocks, _ basis: PairBasis, coefficients: [[Double]], thermalEnergy: Double,
    threads: Int, ranks: Ranks
  ) throws -> [ForceScale] {
    let groups = try ranks.map(blocks.count * groupsOfABlock, threads: threads) { item -> [Double] in
      let block = item / groupsOfABlock
      var field = PairField(basis, coefficients[block])
      for f in frameNumbers(of: item % groupsOfABlock, in: blocks.ranges[block]) {
        try field.add(frames.frame(at: f), thermalEnergy: thermalEnergy)
      }
      return field.work + field.divergence
    }
    return (0..<basis.typeCount).map { type in
      let sums = groups.map { (numerator: $0[type], denominator: $0[basis.typeCount + type]) }
      return ForceScale(groups: sums.filter { $0.denominator != 0 || $0.numerator != 0 })
    }
  }

  /// Groups of frames in each block of time, and frames of a group at most: little work beside that of a fit.
  private static let (groupsOfABlock, mostFrames) = (4, 100)

  private static func frameNumbers(of group: Int, in range: Range<Int>) -> [Int] {
    let first = range.lowerBound + range.count * group / groupsOfABlock
    let last = range.lowerBound + range.count * (group + 1) / groupsOfABlock
    return Array(stride(from: first, to: last, by: max(1, (last - first) / mostFrames)))
  }
}

/// Sums over frames, for each type of atom, of Σ_i F_i·f_i / kT and -Σ_i div_i f_i, with the field f = -∇u of a pair
/// potential u in units of kT.
private struct PairField {
  private let basis: PairBasis
  private let coefficients: [Double]
  private let search = NeighbourSearch()
  private let edges = EdgeList()
  private(set) var work: [Double]
  private(set) var divergence: [Double]

  init(_ basis: PairBasis, _ coefficients: [Double]) {
    self.basis = basis
    self.coefficients = coefficients
    work = Array(repeating: 0, count: basis.typeCount)
    divergence = work
  }

  mutating func add(_ frame: Frame, thermalEnergy: Double) throws {
    try search.fill(edges, frame.configuration, cutoff: basis.rMax)
    for i in 0..<edges.centreCount {
      let type = Int(edges.types[i])
      var (field, laplacian) = (SIMD3<Double>.zero, 0.0)
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.neighbours[e] != Int32(i) {
        let other = Int(edges.types[Int(edges.neighbours[e])])
        let r = edges.lengths[e]
        let (slope, curvature) = derivatives(TypePairs.index(type, other, typeCount: basis.typeCount), r)
        field += (slope / r) * edges.vectors[e]
        laplacian += curvature + 2 * slope / r
      }
      work[type] += dot(frame.forces![i], field) / thermalEnergy
      divergence[type] += laplacian
    }
  }

  /// du/dr and d²u/dr².
  private func derivatives(_ pair: Int, _ r: Double) -> (Double, Double) {
    let (m, t) = basis.interval(r / basis.spacing)
    let (slopes, curvatures) = (CubicBSpline.basis(t).slope, CubicBSpline.curvature(t))
    var (slope, curvature) = (0.0, 0.0)
    for k in 0..<min(4, basis.intervals - m) {
      let c = coefficients[pair * basis.intervals + m + k]
      slope += c * slopes[k]
      curvature += c * curvatures[k]
    }
    return (slope / basis.spacing, curvature / (basis.spacing * basis.spacing))
  }
}
