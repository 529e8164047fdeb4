#if canImport(Glibc)
  import Glibc
#endif
import DiffNNP
import DiffNNPFrames

/// The pseudo-likelihood of what a move changes, given all else, as a choice between candidates: the configuration x, of
/// which one atom has moved to a point z, say, may have come from x or from any of K more candidates y_k that the same
/// move makes from z; the potential has to tell which,
///
///   -log p = u(x) + log Σ_k exp(-u(y_k)),   y_0 = x.
///
/// Given z the K + 1 candidates are exchangeable but for the density itself, so the minimiser is the true potential for any
/// K and any symmetric move (pseudo-likelihood, Besag 1975; ranking noise-contrastive estimation, Ma & Collins 2018). It
/// has no noise bias, needs no derivatives, and, unlike scores, it compares separated wells: it is what fixes the relative
/// weight of contact and solvent-separated pairs. It is convex in the coefficients of a linear model: Newton's method
/// minimises it in a few passes.
struct PseudoLikelihood: ObjectivePart {
  let model: LinearModel
  let frames: Frames
  let blocks: TimeBlocks
  let moves: [any Move]
  /// K, the number of candidates beside the configuration itself.
  var candidates = 16
  let seed: UInt64
  let threads: Int
  var ranks = Ranks.one

  var name: String { "pseudo-likelihood" }
  var isQuadratic: Bool { false }

  /// Items of work that a block is cut into, so that there are some for several threads.
  private static let pieces = 4

  /// Which choices are posed: one of each `stride` subjects of a move poses some, `repeats` of them.
  struct Sampling {
    let stride: Int
    let repeats: Int
    /// Number of choices in all frames.
    let count: Int

    private static let mostChoicesOfASubject = 4

    /// - Parameters:
    ///   - choices: wanted, at most.
    ///   - subjects: in all frames.
    init(choices: Int, subjects: Int) {
      stride = max(1, subjects / choices)
      repeats = max(1, min(choices / max(1, subjects), Self.mostChoicesOfASubject))
      count = subjects / stride * repeats
    }

    /// The number of choices, on average, that a subject poses, and the weight of each as if it posed one.
    var choicesOfASubject: Double { Double(repeats) / Double(stride) }
    var weight: Double { Double(stride) / Double(repeats) }

    /// Whether the k-th subject of a frame poses choices.
    @inline(__always)
    func poses(_ k: Int, inFrame number: Int) -> Bool { (k + number) % stride == 0 }

    /// Whether any of `count` subjects of a frame does.
    func posesAny(inFrame number: Int, of count: Int) -> Bool { (stride - number % stride) % stride < count }

    /// Numbers the choices of all frames evenly.
    @inline(__always)
    func turn(_ k: Int, inFrame number: Int, _ choice: Int) -> Int { (k + number) / stride + choice }
  }

  func sampling(_ move: any Move, _ effort: Effort) -> Sampling {
    let subjects = (0..<frames.count).reduce(0) { $0 + move.subjectCount(atomCount: frames.atomCount(at: $1)) }
    return Sampling(choices: max(1, effort.choices(model) / moves.count), subjects: subjects)
  }

  /// Number of choices that are posed for each atom.
  func choicesForAnAtom(_ effort: Effort) -> Double {
    moves.reduce(0) { $0 + sampling($1, effort).choicesOfASubject }
  }

  func expansions(about coefficients: [Double], _ effort: Effort) throws -> [Expansion] {
    let samplings = moves.map { sampling($0, effort) }
    let hessianChance = effort.hessianCandidates(model) / Double(max(1, samplings.reduce(0) { $0 + $1.count }))
    return try ranks.sums(groups: blocks.count, parts: Self.pieces, threads: threads) { item in
      let sum = ChoiceSum(self, coefficients, samplings, hessianChance: hessianChance)
      for f in blocks.frames(ofItem: item, pieces: Self.pieces)
      where sum.isAsked(frame: f, atomCount: frames.atomCount(at: f)) { try sum.add(frames.frame(at: f), number: f) }
      return ChoiceTotal(sum)
    }.map { Expansion($0.form, value: $0.value, about: coefficients) }
  }
}

/// The work that is put into choices.
enum Effort {
  /// On the way to the minimum.
  case low
  /// For the answer: several choices for each atom where frames are few.
  case full

  /// Choices over all frames, at most; where there are more atoms, they are taken evenly.
  func choices(_ model: LinearModel) -> Int { self == .low ? 12_000 : model.choiceCount }

  /// Approximate number of candidates, drawn at random, that the Hessian is summed over: its error is one of the step,
  /// not of the minimum. The more functions, the more steps a smaller number would cost.
  func hessianCandidates(_ model: LinearModel) -> Double { Double(model.choiceCount / 3) }

  /// Newton steps at most. Two priors that are equally good may be chosen alternately.
  var mostSteps: Int { self == .low ? 20 : 3 }

  /// The gain for each coefficient below which a Newton step is the last: most is gained by then, and a coefficient's
  /// own uncertainty costs ½.
  static let tolerance = 0.1
}

/// Value, gradient (in the form's vector) and Hessian over some frames, as they travel between ranks.
private struct ChoiceTotal: Parcelled, Summable {
  var form: QuadraticForm
  var value: Double

  init(_ sum: ChoiceSum) { (form, value) = (sum.form(), sum.value) }
  init(from parcel: inout Parcel) { (form, value) = (QuadraticForm(from: &parcel), Double(from: &parcel)) }

  func put(into parcel: inout Parcel) {
    form.put(into: &parcel)
    value.put(into: &parcel)
  }

  mutating func add(_ other: ChoiceTotal) {
    form.add(other.form, weight: 1)
    value += other.value
  }
}

/// Value, gradient and Hessian over some frames. Holds the buffers of one thread.
private final class ChoiceSum {
  private(set) var value = 0.0
  private let likelihood: PseudoLikelihood
  private let coefficients: [Double]
  private let samplings: [PseudoLikelihood.Sampling]
  private let hessianChance: Double
  private let evaluator: LinearModelEvaluator
  private let hessian: SymmetricSum
  private var gradient: [Double]
  private var candidates: Candidates
  /// Mean of the candidates' functions, weighted by their probabilities.
  private var mean: [Double]
  private var energies: [Double]
  private var probabilities: [Double]

  private var count: Int { likelihood.model.count }

  /// Candidates less likely than this are left out of gradients.
  private static let leastForGradient = 1e-7

  /// - Parameter hessianChance: times √p is the probability with which a candidate enters the Hessian.
  init(
    _ likelihood: PseudoLikelihood, _ coefficients: [Double], _ samplings: [PseudoLikelihood.Sampling],
    hessianChance: Double
  ) {
    (self.likelihood, self.coefficients, self.samplings) = (likelihood, coefficients, samplings)
    self.hessianChance = hessianChance
    let count = likelihood.model.count
    evaluator = LinearModelEvaluator(likelihood.model, reach: likelihood.moves.map(\.reach).max() ?? 0)
    hessian = SymmetricSum(count)
    gradient = Array(repeating: 0, count: count)
    mean = gradient
    candidates = Candidates(count: likelihood.candidates + 1, functionCount: count)
    energies = Array(repeating: 0, count: likelihood.candidates + 1)
    probabilities = energies
  }

  /// Gradient (in the form's vector) and Hessian.
  func form() -> QuadraticForm {
    QuadraticForm(matrix: hessian.result(), vector: gradient)
  }

  /// Whether any move poses choices in a frame.
  func isAsked(frame number: Int, atomCount: Int) -> Bool {
    zip(likelihood.moves, samplings).contains { move, sampling in
      sampling.posesAny(inFrame: number, of: move.subjectCount(atomCount: atomCount))
    }
  }

  func add(_ frame: Frame, number: Int) throws {
    try evaluator.begin(frame.configuration)
    for (m, move) in likelihood.moves.enumerated() {
      let sampling = samplings[m]
      for k in 0..<move.subjectCount(atomCount: frame.positions.count) where sampling.poses(k, inFrame: number) {
        guard move.begin(k, evaluator) else { continue }
        let stream = m << Self.subjectBits | k
        var random = Philox(seed: likelihood.seed, purpose: .candidates, frame: number, stream: stream)
        var draws = Philox(seed: likelihood.seed, purpose: .hessian, frame: number, stream: stream)
        for choice in 0..<sampling.repeats {
          let turn = sampling.turn(k, inFrame: number, choice)
          move.draw(k, turn: turn, evaluator, into: &candidates, using: &random)
          addChoice(weight: sampling.weight, &draws)
        }
        move.end(k, evaluator)
      }
    }
  }

  /// Bits of a stream of random numbers for the number of the subject; those above are the move's.
  private static let subjectBits = 24

  private func addChoice(weight: Double, _ draws: inout Philox) {
    coefficients.withUnsafeBufferPointer { c in
      for k in 0..<candidates.count {
        energies[k] =
          candidates.energies[k] + QuadraticForm.dot(candidates.functions(k), c.baseAddress!, count)
      }
    }
    let lowest = energies.min()!
    let total = energies.reduce(0) { $0 + exp(lowest - $1) }
    for k in 0..<candidates.count { probabilities[k] = exp(lowest - energies[k]) / total }
    value += weight * (energies[0] - lowest + log(total))
    mean.withUnsafeMutableBufferPointer { mean in
      let mean = mean.baseAddress!
      addGradient(weight, mean)
      addHessian(weight, mean, &draws)
    }
  }

  /// Adds φ(x) - Σ p φ(y), and writes the mean.
  private func addGradient(_ weight: Double, _ mean: UnsafeMutablePointer<Double>) {
    mean.update(repeating: 0, count: count)
    for candidate in 0..<candidates.count where probabilities[candidate] > Self.leastForGradient {
      let (p, row) = (probabilities[candidate], candidates.functions(candidate))
      for k in 0..<count { mean[k] += p * row[k] }
    }
    let own = candidates.functions(0)
    for k in 0..<count { gradient[k] += weight * (own[k] - mean[k]) }
  }

  /// Adds Σ p (φ - mean)(φ - mean)ᵀ: likely candidates are added, others drawn with probability √p, because functions that
  /// vanish at all likely ones are known from unlikely ones alone.
  private func addHessian(_ weight: Double, _ mean: UnsafePointer<Double>, _ draws: inout Philox) {
    for candidate in 0..<candidates.count {
      let chance = min(1, hessianChance * probabilities[candidate].squareRoot())
      guard draws.uniform() < chance else { continue }
      hessian.add(
        candidates.functions(candidate), minus: mean,
        factor: (weight * probabilities[candidate] / chance).squareRoot())
    }
  }
}
