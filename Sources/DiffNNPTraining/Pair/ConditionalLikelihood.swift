#if canImport(Glibc)
  import Glibc
#endif
import DiffNNP
import DiffNNPFrames

/// The pseudo-likelihood of each atom's position given all others, as a choice between candidates: the atom is noised
/// to a point z within a ball about x_i; K more points are drawn in the same way about z; the potential has to tell
/// which of the K + 1 candidates the atom came from,
///
///   -log p = u(x_i) + log Σ_k exp(-u(y_k)),   y_0 = x_i,
///
/// with u the energy of the atom among all others. Given z the K + 1 points are exchangeable but for the density
/// itself, so the minimiser is the true potential for any K and any radius (pseudo-likelihood, Besag 1975; ranking
/// noise-contrastive estimation, Ma & Collins 2018). It has no noise bias, needs no derivatives, and, unlike scores, it
/// compares separated wells: it is what fixes the relative weight of contact and solvent-separated pairs. It is convex
/// in the coefficients of a linear potential, of pairs and of triplets: Newton's method minimises it in a few passes.
struct ConditionalLikelihood {
  let basis: LinearBasis
  let frames: Frames
  let blocks: TimeBlocks
  /// Radii of the balls (Å), in turn: small ones for sharp wells in dense liquids, large ones across barriers.
  var radii = [0.75, 1.5, 3.0]
  /// K, the number of candidates beside the true position.
  var candidates = 16
  /// Atoms closer to a neighbour than this (Å) [pair] are in a trap or an error: they pose no choice, as no finite
  /// energy would explain their positions.
  let smallestDistances: [Double]
  let seed: UInt64
  let threads: Int
  var ranks = Ranks.one

  /// The number of choices that are posed.
  enum Effort {
    /// On the way to the minimum.
    case low
    /// For the answer: several choices for each atom where frames are few.
    case full

    /// Choices over all frames, at most; where there are more atoms, they are taken evenly. More make forces of pairs
    /// alone no better.
    func choices(_ basis: LinearBasis) -> Int {
      switch self {
      case .low: 12_000
      case .full: basis.triplets == nil ? 36_000 : 96_000
      }
    }

    static let mostChoicesForAnAtom = 4

    /// Approximate number of candidates, drawn at random, that the Hessian is summed over: its error is one of the
    /// step, not of the minimum. The more functions, the more steps a smaller number would cost.
    static func hessianPlaces(_ basis: LinearBasis) -> Double { basis.triplets == nil ? 12_000 : 32_000 }

    /// Newton steps at most. Two priors that are equally good may take turns in being chosen.
    var mostSteps: Int { self == .low ? 20 : 3 }

    /// The gain for each coefficient below which a Newton step is the last: most is gained by then, and a coefficient's
    /// own uncertainty costs ½.
    static let tolerance = 0.1
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

  /// Value, gradient (in the form's vector) and Hessian over a part of a block.
  private struct PartSum: Parcelled, Summable {
    var form: QuadraticForm
    var value: Double

    init(form: QuadraticForm, value: Double) { (self.form, self.value) = (form, value) }
    init(from parcel: inout Parcel) { self.init(form: QuadraticForm(from: &parcel), value: Double(from: &parcel)) }

    func put(into parcel: inout Parcel) {
      form.put(into: &parcel)
      value.put(into: &parcel)
    }

    mutating func add(_ other: PartSum) {
      form.add(other.form, weight: 1)
      value += other.value
    }
  }

  /// Expansions about `coefficients` for all blocks.
  func expansions(about coefficients: [Double], _ effort: Effort) throws -> [Expansion] {
    let (stride, repeats) = sampling(effort)
    let hessianChance = Effort.hessianPlaces(basis) / Double(max(1, frames.atomCount / stride * repeats))
    return try ranks.sums(groups: blocks.count, parts: Self.parts, threads: threads) { item in
      let range = blocks.ranges[item / Self.parts]
      let part = item % Self.parts
      let (first, last) = (range.count * part / Self.parts, range.count * (part + 1) / Self.parts)
      let sum = Choices(self, coefficients, stride: stride, repeats: repeats, hessianChance: hessianChance)
      for f in range.lowerBound + first..<range.lowerBound + last
      where sum.asks(inFrame: f, ofAtoms: frames.atomCount(at: f)) { try sum.add(frames.frame(at: f), number: f) }
      return PartSum(form: sum.form(), value: sum.value)
    }.map { expansion(about: coefficients, $0.form, value: $0.value) }
  }

  /// The density of choices: one of each `stride` atoms is asked about, and that `repeats` times.
  private func sampling(_ effort: Effort) -> (stride: Int, repeats: Int) {
    let (atoms, choices) = (frames.atomCount, effort.choices(basis))
    return (max(1, atoms / choices), max(1, min(choices / max(1, atoms), Effort.mostChoicesForAnAtom)))
  }

  func choicesForAnAtom(_ effort: Effort) -> Double {
    let (stride, repeats) = sampling(effort)
    return Double(repeats) / Double(stride)
  }

  /// From value, gradient (in the form's vector) and Hessian to the quadratic about the origin.
  private func expansion(about c: [Double], _ sums: QuadraticForm, value: Double) -> Expansion {
    let curved = sums.product(c)
    var constant = value
    var form = sums
    for k in 0..<c.count {
      constant += c[k] * (0.5 * curved[k] - sums.vector[k])
      form.vector[k] = curved[k] - sums.vector[k]
    }
    return Expansion(form: form, constant: constant, value: value)
  }
}

/// Value, gradient and Hessian over some frames.
private final class Choices {
  private(set) var value = 0.0
  private let likelihood: ConditionalLikelihood
  private let coefficients: [Double]
  private let stride: Int
  private let repeats: Int
  private let hessianChance: Double
  private let atom: AtomFeatures
  private let hessian: SymmetricSum
  private var gradient: [Double]
  /// Functions at all candidates [candidate][function], and their mean weighted by the candidates' probabilities.
  private var rows: [Double]
  private var mean: [Double]
  private var energies: [Double]
  private var probabilities: [Double]

  private var count: Int { likelihood.basis.count }
  private var places: Range<Int> { 0..<likelihood.candidates + 1 }

  /// Candidates less likely than this are left out of gradients.
  private static let leastForGradient = 1e-7

  /// - Parameters:
  ///   - stride: every how many atoms one is asked about.
  ///   - repeats: choices for each of those.
  ///   - hessianChance: times √p is the probability with which a candidate enters the Hessian.
  init(
    _ likelihood: ConditionalLikelihood, _ coefficients: [Double], stride: Int, repeats: Int, hessianChance: Double
  ) {
    self.likelihood = likelihood
    self.coefficients = coefficients
    self.stride = stride
    self.repeats = repeats
    self.hessianChance = hessianChance
    let (count, places) = (likelihood.basis.count, likelihood.candidates + 1)
    atom = AtomFeatures(likelihood.basis, reach: Self.reach(likelihood.radii.max() ?? 0))
    hessian = SymmetricSum(count)
    gradient = Array(repeating: 0, count: count)
    mean = gradient
    rows = Array(repeating: 0, count: places * count)
    energies = Array(repeating: 0, count: places)
    probabilities = energies
  }

  /// Gradient (in the form's vector) and Hessian.
  func form() -> QuadraticForm {
    var form = QuadraticForm(count: count)
    form.matrix = hessian.result()
    form.vector = gradient
    return form
  }

  /// The largest distance of candidates from the atom's position (Å): the noised one is up to a radius away, and they
  /// are up to a radius from there.
  private static func reach(_ radius: Double) -> Double { 2 * radius }

  /// Whether any atom of a frame poses a choice.
  func asks(inFrame number: Int, ofAtoms count: Int) -> Bool { (stride - number % stride) % stride < count }

  func add(_ frame: Frame, number: Int) throws {
    try atom.begin(frame.configuration)
    for i in 0..<atom.edges.centreCount where (i + number) % stride == 0 && !isTrapped(i) {
      var random = Philox(seed: likelihood.seed, purpose: .candidates, frame: number, stream: i)
      var draws = Philox(seed: likelihood.seed, purpose: .hessian, frame: number, stream: i)
      atom.takeAway(i)
      for choice in 0..<repeats {
        let radius = likelihood.radii[((i + number) / stride + choice) % likelihood.radii.count]
        pose(i, radius: radius, &random)
        addChoice(&draws)
      }
      atom.putBack(i)
    }
  }

  private func isTrapped(_ i: Int) -> Bool {
    let edges = atom.edges
    return (Int(edges.offsets[i])..<Int(edges.offsets[i + 1])).contains {
      edges.lengths[$0] < likelihood.smallestDistances[atom.pair(i, $0)]
    }
  }

  /// Fills `rows` and `energies` for atom i at its own position and at candidates about a noised one.
  private func pose(_ i: Int, radius: Double, _ random: inout Philox) {
    atom.look(about: i, reach: Self.reach(radius))
    let noised = radius * random.inBall()
    rows.withUnsafeMutableBufferPointer { rows in
      coefficients.withUnsafeBufferPointer { c in
        for place in places {
          let displacement = place == 0 ? SIMD3<Double>.zero : noised + radius * random.inBall()
          let row = rows.baseAddress! + place * count
          atom.put(i, displacement, into: row)
          energies[place] = QuadraticForm.dot(row, c.baseAddress!, count)
        }
      }
    }
  }

  private func addChoice(_ draws: inout Philox) {
    let lowest = energies.min()!
    let total = energies.reduce(0) { $0 + exp(lowest - $1) }
    for place in places { probabilities[place] = exp(lowest - energies[place]) / total }
    let weight = Double(stride) / Double(repeats)
    value += weight * (energies[0] - lowest + log(total))
    rows.withUnsafeBufferPointer { rows in
      mean.withUnsafeMutableBufferPointer { mean in
        let (rows, mean) = (rows.baseAddress!, mean.baseAddress!)
        mean.update(repeating: 0, count: count)
        for place in places where probabilities[place] > Self.leastForGradient {
          let (p, row) = (probabilities[place], rows + place * count)
          for k in 0..<count { mean[k] += p * row[k] }
        }
        for k in 0..<count { gradient[k] += weight * (rows[k] - mean[k]) }
        // Σ p (x - mean)(x - mean)ᵀ: likely candidates are added, others drawn with probability √p, because functions
        // that vanish at all likely ones are known from unlikely ones alone.
        for place in places {
          let share = min(1, hessianChance * probabilities[place].squareRoot())
          guard draws.uniform() < share else { continue }
          hessian.add(
            rows + place * count, minus: mean, factor: (weight * probabilities[place] / share).squareRoot())
        }
      }
    }
  }
}
