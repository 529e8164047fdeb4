#if canImport(Glibc)
  import Glibc
#endif
import DiffNNP
import DiffNNPFrames

/// The size of given forces relative to what it should be: a ratio of sums over frames, with its standard error.
public struct ForceScale: Sendable {
  /// The ratio: 1 for forces that are right.
  public let slope: Double
  /// Standard error of the slope, from groups of consecutive frames; infinite where there are fewer than three.
  public let error: Double
  /// |numerator - denominator| in units of the largest value that chance explains, for the grouping with the largest
  /// statistical error. Unlike the error of the slope, which takes the denominator as exact, it includes the
  /// fluctuations of both sums.
  private let difference: Double
  /// The difference in such units for the groups as they are given.
  private let finestDifference: Double
  /// Number of standard errors beyond which a difference is not due to chance.
  private let significance: Double

  /// The ratio of sums over groups.
  /// - Parameter groups: numerator and denominator of the ratio, for groups of frames in order of time. Consecutive
  ///   groups may be correlated, so the error is the largest of those by these groups, by pairs and by fours of them
  ///   (blocking, Flyvbjerg & Petersen, J. Chem. Phys. 91, 461 (1989)).
  public init(groups: [(numerator: Double, denominator: Double)]) {
    let numerator = groups.reduce(0) { $0 + $1.numerator }
    let denominator = groups.reduce(0) { $0 + $1.denominator }
    let slope = numerator / denominator
    let groupings =
      (groups.count < Self.fewestGroups ? [] : [groups])
      + [2, 4].map { Self.joined(groups, by: $0) }.filter { $0.count >= Self.fewestJoined }
    let differences = groupings.map {
      abs(numerator - denominator) / (Self.error($0, 1) * Self.significance(groups: $0.count))
    }
    self.slope = slope
    error = groupings.map { Self.error($0, slope) / abs(denominator) }.max() ?? .infinity
    difference = differences.min() ?? 0
    finestDifference = differences.first ?? 0
    significance = Self.significance(groups: groups.count)
  }

  /// Fewest groups from which an error is estimated, and fewest joined groups for which blocking is tried.
  private static let (fewestGroups, fewestJoined) = (3, 5)

  /// The number of standard errors that is as rare as four of a normal distribution; it is larger for few groups, whose
  /// estimate of the standard error is itself uncertain.
  private static func significance(groups: Int) -> Double { 4 * (1 + 8 / exp(1.5 * log(max(1, Double(groups) - 1)))) }

  private static func joined(
    _ groups: [(numerator: Double, denominator: Double)], by count: Int
  ) -> [(numerator: Double, denominator: Double)] {
    stride(from: 0, to: groups.count - groups.count % count, by: count).map { first in
      groups[first..<first + count].reduce((0, 0)) { ($0.0 + $1.numerator, $0.1 + $1.denominator) }
    }
  }

  /// The standard error of the sum over groups of numerator - slope · denominator.
  private static func error(_ groups: [(numerator: Double, denominator: Double)], _ slope: Double) -> Double {
    let residuals = groups.map { $0.numerator - slope * $0.denominator }
    let count = Double(residuals.count)
    let mean = residuals.reduce(0, +) / count
    return (residuals.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } * count / (count - 1)).squareRoot()
  }

  /// Deviation from 1 that integration errors and an inexact thermostat may cause.
  private static let tolerance = 0.1

  /// Whether the slope is known precisely enough to judge by.
  public var isKnown: Bool { error.isFinite && significance * error < max(0.5, 0.5 * abs(slope)) }
  /// Whether the slope differs from 1 by more than tolerance and chance explain.
  public var isWrong: Bool {
    abs(slope - 1) > Self.tolerance + 2 * error && difference > 1 || isFarOff
  }
  /// Whether forces are off by so large a factor that a few groups show it, which correlations between frames do not
  /// explain.
  var isFarOff: Bool { finestDifference > 1 && abs(slope - 1) > 2 * error && !(0.4...2.5 ~= slope) }

  /// The slope ± its standard error, rounded to significant digits.
  public var text: String {
    error.isFinite
      ? "\(Self.digits(slope, error)) ± \(Self.digits(error, error))" : "\(Self.digits(slope, slope / 100))"
  }

  /// A number rounded to the second significant digit of its error.
  private static func digits(_ x: Double, _ error: Double) -> String {
    guard x.isFinite, error.isFinite, error != 0 else { return "\(x)" }
    let power = Int(log10(abs(error)).rounded(.down)) - 1
    guard power < 0 else {
      let unit = exp(log(10) * Double(power)).rounded()
      return "\(Int(((x / unit).rounded() * unit).rounded()))"
    }
    let scale = exp(log(10) * Double(-power)).rounded()
    return "\((x * scale).rounded() / scale)"
  }

  /// The probable cause where forces are off by this slope; nil where no cause is known.
  /// - Parameter temperature: of the frames (K), as it was given.
  public func cause(temperature: Double) -> String? {
    if abs(slope) <= 2 * error { return "they have nothing to do with the configurations" }
    if let unit { return unit }
    guard 0.2...5 ~= slope else { return nil }
    return "they look like those of \((slope * temperature).rounded()) K"
  }

  /// The units, of either sign, that forces off by this slope may be in; nil where none is known.
  var unit: String? {
    let tolerance = error.isFinite ? max(0.05, 2 * error / abs(slope)) : 0.1
    // No program writes forces in eV/Bohr, so that no unit explains a factor between these bounds.
    guard !(0.4...2.5 ~= slope), let nearest = ForceUnit.candidates(for: slope, within: tolerance).first else {
      return nil
    }
    if slope < 0, nearest.factor == 1 { return "they look like gradients, with the other sign" }
    let units = ForceUnit.candidates(for: slope, within: tolerance).prefix(3).map(\.text)
    return "they look like " + units.joined(separator: " or ") + (slope < 0 ? ", with the other sign: gradients" : "")
  }
}

// MARK: - Measuring forces by configurations

extension ForceScale {
  /// The sums over the atoms of one type in a group of frames whose ratio is taken.
  private struct GroupSums {
    var type: Int
    var numerator: Double
    var denominator: Double
  }

  /// Measures forces by the configurations, for each type of atom: in equilibrium ⟨F·f⟩ = -kT ⟨div f⟩ for any field f (the
  /// hypervirial theorem, by partial integration of exp(-U/kT)), whatever noise of mean 0 the forces carry.
  ///
  /// The field f is the force of a pair potential fitted to the force labels of the other blocks of time. It has the
  /// unit of the labels, which cancels in the ratio, and it is independent of the configurations that it is tested on.
  /// A potential fitted to the configurations themselves would be biased towards agreement where these are few and
  /// similar.
  /// - Parameters:
  ///   - frames: with forces (eV/Å) in each.
  ///   - scores: the score-matching objective of the pair functions.
  ///   - smoothness: strength of the prior of that pair potential.
  ///   - thermalEnergy: kT (eV).
  /// - Returns: the scales [type] of all frames, and of the first and the second half of them by themselves; and that of all
  ///   types and frames together, which says more where there are few.
  static func measure(
    _ frames: Frames, _ scores: PairScores, smoothness: Double, thermalEnergy: Double, threads: Int, ranks: Ranks
  ) throws -> (all: [ForceScale], halves: [[ForceScale]], together: ForceScale) {
    let typeCount = scores.basis.typeCount
    let groups = try groupSums(
      frames, scores, smoothness: smoothness, thermalEnergy: thermalEnergy, threads: threads, ranks: ranks)
    let half = groups.count / typeCount / 2 * typeCount
    let together = stride(from: 0, to: groups.count, by: typeCount).map { first in
      groups[first..<first + typeCount].reduce((numerator: 0.0, denominator: 0.0)) {
        ($0.numerator + $1.numerator, $0.denominator + $1.denominator)
      }
    }
    return (
      scales(groups[...], typeCount), [scales(groups[..<half], typeCount), scales(groups[half...], typeCount)],
      ForceScale(groups: together)
    )
  }

  private static func scales(_ groups: ArraySlice<GroupSums>, _ typeCount: Int) -> [ForceScale] {
    (0..<typeCount).map { type in
      ForceScale(
        groups: groups.filter { $0.type == type && ($0.numerator != 0 || $0.denominator != 0) }.map {
          ($0.numerator, $0.denominator)
        })
    }
  }

  /// Sums of F·f/kT and -div f for all groups of frames in order of time, and within each group for each type.
  private static func groupSums(
    _ frames: Frames, _ scores: PairScores, smoothness: Double, thermalEnergy: Double, threads: Int, ranks: Ranks
  ) throws -> [GroupSums] {
    let (blocks, basis) = (scores.blocks, scores.basis)
    let sums = try ranks.map(blocks.count, threads: threads) { block in
      try labelSums(of: frames, blocks.ranges[block], basis, thermalEnergy: thermalEnergy)
    }
    let totals = sums.map { groups in LabelSums.total(groups.map(\.projections), count: basis.count) }
    let fields = try fields(
      totals, scores, smoothness: smoothness, atomsPerFrame: Double(frames.atomCount) / Double(frames.count),
      threads: threads, ranks: ranks)
    return sums.enumerated().flatMap { block, groups in
      groups.flatMap { group in
        (0..<basis.typeCount).map { type in
          GroupSums(
            type: type, numerator: dot(group.projections[type], fields[block]),
            denominator: dot(group.laplacians[type], fields[block]))
        }
      }
    }
  }

  /// For each block of time, the coefficients of the pair potential fitted to the force labels of all other blocks.
  private static func fields(
    _ labels: [[Double]], _ scores: PairScores, smoothness: Double, atomsPerFrame: Double, threads: Int, ranks: Ranks
  ) throws -> [[Double]] {
    let (blocks, basis) = (scores.blocks, scores.basis)
    let total = LabelSums.total(labels, count: basis.count)
    let matrix = QuadraticForm.sum(scores.forms)
    return try ranks.map(blocks.count, threads: threads) { block in
      var form = matrix
      form.add(scores.forms[block], weight: -1)
      for k in 0..<basis.count { form.vector[k] = total[k] - labels[block][k] }
      SmoothnessPrior(strength: smoothness).add(
        to: &form, basis, weight: Double(blocks.trainingFrameCount(holdingOut: block)) * atomsPerFrame)
      return try form.minimiser()
    }
  }

  /// Number of groups in each block of time, and largest number of frames in a group, which keeps the cost small
  /// relative to that of a fit.
  private static let (groupsOfABlock, mostFrames) = (4, 100)

  /// The sums over groups of frames of a block. Where frames are few, the atoms of each frame are dealt into several
  /// groups.
  private static func labelSums(
    of frames: Frames, _ range: Range<Int>, _ basis: PairBasis, thermalEnergy: Double
  ) throws -> [LabelSums] {
    let pieces = range.count >= groupsOfABlock ? 1 : (groupsOfABlock + range.count - 1) / range.count
    let groupCount = min(groupsOfABlock, range.count)
    var groups: [LabelSums] = []
    let search = LabelSearch(basis)
    for group in 0..<groupCount {
      let own = range.piece(group, of: groupCount)
      groups += Array(repeating: LabelSums(basis), count: pieces)
      for f in stride(from: own.lowerBound, to: own.upperBound, by: max(1, own.count / mostFrames)) {
        try search.add(
          frames.frame(at: f), thermalEnergy: thermalEnergy, to: &groups, from: groups.count - pieces, pieces: pieces)
      }
    }
    return groups
  }
}

/// Sums over the atoms of each type [type][function] of -F·∇φ/kT, `projections`, and of Δφ, `laplacians`. Multiplied by
/// coefficients c they give F·f/kT and -div f for the field f = -∇Σcφ.
private struct LabelSums: Parcelled {
  var projections: [[Double]]
  var laplacians: [[Double]]

  init(_ basis: PairBasis) {
    projections = Array(repeating: Array(repeating: 0, count: basis.count), count: basis.typeCount)
    laplacians = projections
  }

  init(from parcel: inout Parcel) { (projections, laplacians) = (parcel.take(), parcel.take()) }

  func put(into parcel: inout Parcel) {
    parcel.put(projections)
    parcel.put(laplacians)
  }

  /// The sum over all groups and types.
  static func total(_ projections: [[[Double]]], count: Int) -> [Double] {
    total(projections.flatMap { $0 }, count: count)
  }

  static func total(_ projections: [[Double]], count: Int) -> [Double] {
    projections.reduce(into: Array(repeating: 0, count: count)) { sum, row in for k in 0..<count { sum[k] += row[k] } }
  }
}

/// Adds frames to `LabelSums`. Holds the buffers of one thread.
private final class LabelSearch {
  private let basis: PairBasis
  private let search = NeighbourSearch()
  private let edges = EdgeList()

  init(_ basis: PairBasis) { self.basis = basis }

  /// Adds atom i to the sums number `first` + i modulo `pieces`.
  func add(
    _ frame: Frame, thermalEnergy: Double, to sums: inout [LabelSums], from first: Int, pieces: Int
  ) throws {
    try search.fill(edges, frame.configuration, cutoff: basis.rMax)
    let inverse = 1 / basis.spacing
    for i in 0..<edges.centreCount {
      let (type, sum) = (Int(edges.types[i]), first + i % pieces)
      let force = frame.forces![i] / thermalEnergy
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.neighbours[e] != Int32(i) {
        let (r, pair) = (edges.lengths[e], basis.pair(i, e, edges))
        let (m, t) = basis.interval(r * inverse)
        let slopes = CubicBSpline.basis(t).slope * inverse
        let laplacians = CubicBSpline.curvature(t) * (inverse * inverse) + slopes * (2 / r)
        // ∇φ of atom i is φ' times the unit vector from its neighbour.
        let along = (force * edges.vectors[e]).sum() / r
        for k in 0..<min(4, basis.intervals - m) {
          sums[sum].projections[type][pair * basis.intervals + m + k] += along * slopes[k]
          sums[sum].laplacians[type][pair * basis.intervals + m + k] += laplacians[k]
        }
      }
    }
  }
}
