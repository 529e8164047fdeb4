#if canImport(Glibc)
  import Glibc
#endif
import DiffNNP
import DiffNNPFrames

/// How likely each atom is where it is, given all others: denoising with large noise on one atom at a time, posed as a
/// choice. The atom is noised to a point z within a ball about x_i; K more points are drawn in the same way about z; the
/// potential has to tell which of the K + 1 places the atom came from,
///
///   -log p = u(x_i) + log Σ_k exp(-u(y_k)),   y_0 = x_i,
///
/// with u the energy of the atom among all others. Given z the K + 1 points are exchangeable but for the density itself,
/// so the minimiser is the true potential for any K and any radius (pseudo-likelihood, Besag 1975; ranking
/// noise-contrastive estimation, Ma & Collins 2018). It has no noise bias, needs no derivatives, and, unlike scores, it
/// compares separated wells: it is what fixes the relative weight of contact and solvent-separated pairs.
/// It is convex in the coefficients of a linear potential: Newton's method minimises it in a few passes.
struct ConditionalLikelihood {
  let basis: PairBasis
  let frames: [Frame]
  let blocks: TimeBlocks
  /// Radii of the balls (Å), in turn: small ones for sharp wells in dense liquids, large ones across barriers.
  var radii = [0.75, 1.5, 3.0]
  /// K, the number of places offered beside the true one.
  var candidates = 16
  /// Atoms closer to a neighbour than this (Å, for each pair of types) are in a trap or an error: no question is asked
  /// about them, as no finite energy would explain where they are.
  let smallestDistances: [Double]
  let seed: UInt64
  let threads: Int

  /// How many choices are posed.
  enum Effort {
    /// On the way to the minimum.
    case low
    /// For the answer: several choices for each atom where frames are few.
    case full

    /// Choices over all frames, at most; where there are more atoms, they are taken evenly.
    var budget: Int { self == .low ? 24_000 : 144_000 }
    static let mostChoicesForAnAtom = 4
  }

  /// The objective about given coefficients, summed over one block: ½ c'Gc - h'c + constant to second order.
  struct Expansion {
    var form: QuadraticForm
    var constant: Double
    /// The objective itself at the point of expansion.
    var value: Double
  }

  /// Parts that a block is cut into, so that there is work for several threads.
  private static let parts = 4

  /// Expansions about `coefficients` for all blocks.
  func expansions(about coefficients: [Double], _ effort: Effort) throws -> [Expansion] {
    let atoms = blocks.ranges.reduce(0) { sum, range in sum + range.reduce(0) { $0 + frames[$1].positions.count } }
    let stride = max(1, atoms / effort.budget)
    let repeats = max(1, min(effort.budget / max(1, atoms), Effort.mostChoicesForAnAtom))
    let sums = try Parallel.map(blocks.count * Self.parts, threads: threads) { item -> Choices in
      let range = blocks.ranges[item / Self.parts]
      let part = item % Self.parts
      let (first, last) = (range.count * part / Self.parts, range.count * (part + 1) / Self.parts)
      let sum = Choices(self, coefficients, stride: stride, repeats: repeats)
      for f in range.lowerBound + first..<range.lowerBound + last { try sum.add(frames[f], number: f) }
      return sum
    }
    return (0..<blocks.count).map { block in
      let parts = sums[block * Self.parts..<(block + 1) * Self.parts]
      let value = parts.reduce(0) { $0 + $1.value }
      return expansion(about: coefficients, QuadraticForm.sum(parts.map { $0.sum.form() }), value: value)
    }
  }

  /// From value, gradient (in the form's vector) and Hessian to the quadratic about the origin.
  private func expansion(about c: [Double], _ sums: QuadraticForm, value: Double) -> Expansion {
    var form = sums
    let curved = form.product(c)
    var constant = value
    for k in 0..<c.count {
      constant += c[k] * (0.5 * curved[k] - sums.vector[k])
      form.vector[k] = curved[k] - sums.vector[k]
    }
    return Expansion(form: form, constant: constant, value: value)
  }
}

/// Value, gradient and Hessian over some frames.
private final class Choices {
  let sum: FeatureSum
  var value = 0.0
  private let likelihood: ConditionalLikelihood
  private let padded: [Double]
  private let stride: Int
  private let repeats: Int
  private let search = NeighbourSearch()
  private let edges = EdgeList()
  private let reach: Double
  /// Features of all candidates, one after the other, and where each one's start.
  private var runs: [FeatureSum.Run] = []
  private var starts: [Int] = []
  private var energies: [Double] = []
  private var mean: [Double]

  /// - Parameters:
  ///   - stride: every how many atoms one is asked about.
  ///   - repeats: choices for each of those.
  init(_ likelihood: ConditionalLikelihood, _ coefficients: [Double], stride: Int, repeats: Int) {
    self.likelihood = likelihood
    self.stride = stride
    self.repeats = repeats
    let basis = likelihood.basis
    sum = FeatureSum(basis)
    var padded = Array(repeating: 0.0, count: basis.paddedCount)
    for (k, place) in basis.kept.enumerated() { padded[place] = coefficients[k] }
    self.padded = padded
    mean = Array(repeating: 0, count: basis.paddedCount)
    // A candidate is at most two radii away from the atom's place.
    reach = 2 * (likelihood.radii.max() ?? 0)
  }

  func add(_ frame: Frame, number: Int) throws {
    try search.fill(edges, frame.configuration, cutoff: likelihood.basis.rMax + reach)
    for i in 0..<edges.centreCount where (i + number) % stride == 0 && !isTrapped(i) {
      var random = Philox(seed: likelihood.seed, purpose: .candidates, frame: number, stream: i)
      for choice in 0..<repeats {
        let radius = likelihood.radii[((i + number) / stride + choice) % likelihood.radii.count]
        pose(i, radius: radius, &random)
        addChoice()
      }
    }
  }

  private func isTrapped(_ i: Int) -> Bool {
    (Int(edges.offsets[i])..<Int(edges.offsets[i + 1])).contains {
      edges.lengths[$0] < likelihood.smallestDistances[pair(i, $0)]
    }
  }

  @inline(__always)
  private func pair(_ i: Int, _ e: Int) -> Int {
    let other = Int(edges.types[Int(edges.neighbours[e])])
    return PairTerm.pairIndex(Int(edges.types[i]), other, typeCount: likelihood.basis.typeCount)
  }

  /// Fills `runs`, `starts` and `energies` for atom i at its place and at others about a noised one.
  private func pose(_ i: Int, radius: Double, _ random: inout Philox) {
    let noised = radius * random.inBall()
    runs.removeAll(keepingCapacity: true)
    starts.removeAll(keepingCapacity: true)
    energies.removeAll(keepingCapacity: true)
    for k in 0...likelihood.candidates {
      let displacement = k == 0 ? SIMD3<Double>.zero : noised + radius * random.inBall()
      starts.append(runs.count)
      energies.append(gather(i, displacement))
    }
    starts.append(runs.count)
  }

  /// Appends the features of atom i moved by `displacement`; returns its energy.
  private func gather(_ i: Int, _ displacement: SIMD3<Double>) -> Double {
    let basis = likelihood.basis
    let inverse = 1 / basis.spacing
    var energy = 0.0
    for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.neighbours[e] != Int32(i) {
      let vector = edges.vectors[e] - displacement
      let squared = (vector * vector).sum()
      guard squared < basis.rMax * basis.rMax else { continue }
      let (first, t) = basis.locate(pair: pair(i, e), squared.squareRoot(), inverse)
      let values = CubicBSpline.basis(t).value
      for k in 0..<4 { energy += padded[first + k] * values[k] }
      runs.append(.init(first: Int32(first), values: values, direction: [1, 0, 0, 0]))
    }
    return energy
  }

  private func addChoice() {
    let lowest = energies.min()!
    let total = energies.reduce(0) { $0 + exp(lowest - $1) }
    let weight = Double(stride) / Double(repeats)
    value += weight * (energies[0] - lowest + log(total))

    var ranges = Array(repeating: Int.max..<Int.max, count: likelihood.basis.pairCount)
    runs.withUnsafeBufferPointer { runs in
      for k in 0..<energies.count {
        let probability = exp(lowest - energies[k]) / total
        let (start, count) = (starts[k], starts[k + 1] - starts[k])
        guard k == 0 || probability > 1e-7 else { continue }
        for run in runs[start..<start + count] {
          let first = Int(run.first)
          for l in 0..<4 { mean[first + l] += probability * run.values[l] }
          if k == 0 { sum.addVector(run, weight) }
          let pair = first / likelihood.basis.paddedIntervals
          let old = ranges[pair]
          ranges[pair] = min(old.lowerBound, first)..<max(old.isEmpty ? 0 : old.upperBound, first + 4)
        }
        if count > 0 { sum.addSquare(runs.baseAddress! + start, count, weight: weight * probability) }
      }
    }
    let touched = ranges.filter { !$0.isEmpty }
    mean.withUnsafeBufferPointer { sum.addSquare(dense: $0.baseAddress!, in: touched, weight: -weight) }
    for range in touched {
      for k in range {
        sum.vector[k] -= weight * mean[k]
        mean[k] = 0
      }
    }
  }
}
