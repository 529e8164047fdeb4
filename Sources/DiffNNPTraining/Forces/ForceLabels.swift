import DiffNNP
import DiffNNPFrames

/// Force labels of frames, for potentials that are linear in their coefficients. With a known part, the labels are the
/// given forces minus those of the known part.
struct ForceLabels {
  let model: LinearModel
  let frames: Frames
  let blocks: TimeBlocks
  let typeCount: Int
  /// kT (eV).
  let thermalEnergy: Double
  let threads: Int
  var ranks = Ranks.one

  /// A label farther than this many standard deviations from the force of a potential is an outlier, as they occur
  /// where the potential that was sampled failed. Fewer than one Gaussian label in a million is as far, and a few
  /// outliers would outweigh all other labels.
  static let mostDeviations = 6.0

  /// Number of work items that a block of time is split into, so that several threads can work on it.
  private static let pieces = 4

  /// The objective of the labels without outliers. Labels of each type are weighted by the inverse of their variance
  /// about the force of a potential.
  /// - Parameter c: coefficients of that potential.
  func weighted(about c: [Double]) throws -> WeightedForces {
    let spreads = try spreads(about: c)
    let sums = try ranks.sums(groups: blocks.count, parts: Self.pieces, threads: threads) { item in
      let sum = ForceSum(functionCount: model.count)
      try forEach(in: blocks.frames(ofItem: item, pieces: Self.pieces), about: c) { row, force, residual, type in
        if residual <= spreads[type].limit { sum.add(row, force, weight: 1 / spreads[type].variance) }
      }
      return ForceTotal(sum)
    }
    return WeightedForces(
      forms: sums.map(\.form), constants: sums.map(\.constant), counts: sums.map(\.count),
      variances: spreads.map(\.variance))
  }

  /// The spread of the labels of one type about the force of a potential.
  private struct Spread {
    /// The largest |residual|² in (kT/Å)² that is no outlier. It follows from the median of squares, which outliers
    /// hardly change.
    var limit: Double
    /// Mean square of the residuals within the limit, in (kT/Å)² per component.
    var variance: Double

    /// - Parameter squares: |residual|² of all labels.
    init(_ squares: [Double]) {
      let sorted = squares.sorted()
      let median = sorted.isEmpty ? ForceLabels.medianOfSquares : sorted[sorted.count / 2]
      limit = ForceLabels.mostDeviations * ForceLabels.mostDeviations * max(median / ForceLabels.medianOfSquares, 1e-6)
      let kept = sorted.prefix { [limit] in $0 <= limit }
      variance = max(kept.reduce(0, +) / Double(max(1, 3 * kept.count)), 1e-6)
    }
  }

  /// The spread of the labels of each type.
  private func spreads(about c: [Double]) throws -> [Spread] {
    let squares = try ranks.map(blocks.count * Self.pieces, threads: threads) { item in
      var squares = Array(repeating: [Double](), count: typeCount)
      try forEach(in: blocks.frames(ofItem: item, pieces: Self.pieces), about: c) { _, _, residual, type in
        squares[type].append(residual)
      }
      return squares
    }
    return (0..<typeCount).map { type in Spread(squares.flatMap { $0[type] }) }
  }

  /// The median of χ² with three degrees of freedom.
  fileprivate static let medianOfSquares = 2.366

  /// Calls `body` for all atoms of some frames with the gradients of all functions [3][count], the label (kT/Å), the
  /// squared difference of the label from the potential's force, and the type.
  private func forEach(
    in range: Range<Int>, about c: [Double], _ body: (UnsafePointer<Double>, SIMD3<Double>, Double, Int) -> Void
  ) throws {
    let evaluator = LinearModelEvaluator(model)
    let count = model.count
    let buffer = Buffer<Double>(zeros: 3 * count)
    let row = buffer.pointer
    for f in range {
      let frame = try frames.frame(at: f)
      try evaluator.begin(frame.configuration)
      for i in frame.positions.indices {
        let force = try label(frame, i) + evaluator.gradients(of: i, into: row)
        let difference = c.withUnsafeBufferPointer { c in
          force
            + SIMD3(
              QuadraticForm.dot(row, c.baseAddress!, count), QuadraticForm.dot(row + count, c.baseAddress!, count),
              QuadraticForm.dot(row + 2 * count, c.baseAddress!, count))
        }
        body(row, force, (difference * difference).sum(), frame.configuration.types[i])
      }
    }
  }

  /// F/kT on an atom.
  private func label(_ frame: Frame, _ i: Int) throws -> SIMD3<Double> {
    let force = frame.forces![i] / thermalEnergy
    guard (force * force).sum().isFinite else {
      throw DiffNNPError("force on atom \(i + 1) of frame \(frame.number) is not finite")
    }
    return force
  }
}

/// The objective of force matching, ½ c'Gc - h'c + constant with G = Σ ∇φ·∇φ / v and h = -Σ F/kT·∇φ / v, where v is the
/// variance of labels of a type about the force of a potential.
struct WeightedForces {
  /// The quadratic form ½ c'Gc - h'c of each block of time.
  let forms: [QuadraticForm]
  /// ½ Σ |F/kT|² / v, and the number of labels.
  let constants: [Double]
  let counts: [Int]
  /// v for each type, in (kT/Å)² per component.
  let variances: [Double]

  /// The forms as a part of an objective.
  var objective: QuadraticPart { QuadraticPart(name: "forces", forms: forms, constants: constants) }
}

/// The results of the sums over some frames.
private struct ForceTotal: Parcelled, Summable {
  var form: QuadraticForm
  var constant: Double
  var count: Int

  init(_ sum: ForceSum) { (form, constant, count) = (sum.form(), sum.constant, sum.count) }

  init(from parcel: inout Parcel) {
    (form, constant, count) = (QuadraticForm(from: &parcel), Double(from: &parcel), Int(from: &parcel))
  }

  func put(into parcel: inout Parcel) {
    form.put(into: &parcel)
    constant.put(into: &parcel)
    count.put(into: &parcel)
  }

  mutating func add(_ other: ForceTotal) {
    form.add(other.form, weight: 1)
    constant += other.constant
    count += other.count
  }
}

/// The sums over some frames.
private final class ForceSum {
  private let functionCount: Int
  private let sum: SymmetricSum
  private var vector: [Double]
  private(set) var constant = 0.0
  private(set) var count = 0

  init(functionCount: Int) {
    self.functionCount = functionCount
    sum = SymmetricSum(functionCount)
    vector = Array(repeating: 0, count: functionCount)
  }

  /// - Parameters:
  ///   - row: gradients [3][functionCount].
  ///   - force: F/kT.
  func add(_ row: UnsafePointer<Double>, _ force: SIMD3<Double>, weight: Double) {
    let factor = weight.squareRoot()
    for axis in 0..<3 {
      let slopes = row + axis * functionCount
      sum.add(slopes, factor: factor)
      for k in 0..<functionCount { vector[k] -= weight * force[axis] * slopes[k] }
    }
    constant += 0.5 * weight * (force * force).sum()
    count += 1
  }

  func form() -> QuadraticForm {
    QuadraticForm(matrix: sum.result(), vector: vector)
  }
}
