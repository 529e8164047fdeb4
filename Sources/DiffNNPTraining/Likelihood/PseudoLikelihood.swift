#if canImport(Glibc)
  import Glibc
#endif
import DiffNNP
import DiffNNPFrames

/// The pseudo-likelihood of the coordinates that a move changes, given all others, by ranking noise-contrastive
/// estimation. A symmetric move takes the configuration x of a frame to z, by moving one atom, say, and makes K
/// candidates y_k from z. The objective is -log of the probability that the potential gives to x among x and its
/// candidates,
///
///   -log p = u(x) + log Σ_k exp(-u(y_k)),   y_0 = x.
///
/// Given z, these K + 1 configurations differ only in their densities, so the minimiser is the true potential for any K
/// and any symmetric move (pseudo-likelihood, Besag 1975; ranking noise-contrastive estimation, Ma & Collins 2018).
/// Unlike denoising it has no bias from noise and needs no derivatives, and unlike scores it compares separate wells,
/// such as those of contact and solvent-separated ion pairs. It is convex in the coefficients of a linear model, so
/// that Newton's method minimises it in a few passes over the data.
struct PseudoLikelihood: ObjectivePart {
  let model: LinearModel
  let frames: Frames
  let blocks: TimeBlocks
  let moves: [any Move]
  /// K, the number of candidates besides the configuration itself.
  var candidates = 16
  let seed: UInt64
  let threads: Int
  var ranks = Ranks.one

  var name: String { "pseudo-likelihood" }
  var isQuadratic: Bool { false }

  /// Number of work items that a block of time is split into, so that several threads can work on it.
  private static let pieces = 4

  /// Which subjects of a move (atoms, say) contribute choices: one in `stride` of them, `repeats` choices each.
  struct Sampling {
    let stride: Int
    let repeats: Int
    /// Number of choices in all frames.
    let count: Int

    private static let mostChoicesPerSubject = 4

    /// - Parameters:
    ///   - choices: the largest number wanted over all frames.
    ///   - subjects: the number of subjects in all frames.
    init(choices: Int, subjects: Int) {
      stride = max(1, subjects / choices)
      repeats = max(1, min(choices / max(1, subjects), Self.mostChoicesPerSubject))
      count = subjects / stride * repeats
    }

    /// The mean number of choices per subject, and the weight of each choice in sums that estimate one choice per
    /// subject.
    var choicesPerSubject: Double { Double(repeats) / Double(stride) }
    var weight: Double { Double(stride) / Double(repeats) }

    /// Whether the k-th subject of a frame contributes choices.
    @inline(__always)
    func samples(_ k: Int, inFrame number: Int) -> Bool { (k + number) % stride == 0 }

    /// Whether any of the `count` subjects of a frame does.
    func samplesAny(inFrame number: Int, of count: Int) -> Bool { (stride - number % stride) % stride < count }

    /// A running number of the choices, by which a move alternates evenly between its variants.
    @inline(__always)
    func choiceNumber(_ k: Int, inFrame number: Int, _ choice: Int) -> Int { (k + number) / stride + choice }
  }

  func sampling(_ move: any Move, _ effort: MinimisationEffort) -> Sampling {
    let subjects = (0..<frames.count).reduce(0) { $0 + move.subjectCount(atomCount: frames.atomCount(at: $1)) }
    return Sampling(choices: max(1, effort.choices(model) / moves.count), subjects: subjects)
  }

  /// Mean number of choices per atom.
  func choicesPerAtom(_ effort: MinimisationEffort) -> Double {
    moves.reduce(0) { $0 + sampling($1, effort).choicesPerSubject }
  }

  func expansions(about coefficients: [Double], _ effort: MinimisationEffort) throws -> [Expansion] {
    let samplings = moves.map { sampling($0, effort) }
    let hessianChance = effort.hessianCandidates(model) / Double(max(1, samplings.reduce(0) { $0 + $1.count }))
    return try ranks.sums(groups: blocks.count, parts: Self.pieces, threads: threads) { item in
      let sum = ChoiceSum(self, coefficients, samplings, hessianChance: hessianChance)
      for f in blocks.frames(ofItem: item, pieces: Self.pieces)
      where sum.hasChoices(frame: f, atomCount: frames.atomCount(at: f)) { try sum.add(frames.frame(at: f), number: f) }
      return ChoiceTotal(sum)
    }.map { Expansion($0.form, value: $0.value, about: coefficients) }
  }
}

/// Value, gradient (in the form's vector) and Hessian over some frames, as they are sent between ranks.
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

  /// - Parameter hessianChance: a candidate of probability p enters the sum for the Hessian with the probability
  ///   `hessianChance` · √p, at most 1.
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

  /// Whether any move makes choices in a frame.
  func hasChoices(frame number: Int, atomCount: Int) -> Bool {
    zip(likelihood.moves, samplings).contains { move, sampling in
      sampling.samplesAny(inFrame: number, of: move.subjectCount(atomCount: atomCount))
    }
  }

  func add(_ frame: Frame, number: Int) throws {
    try evaluator.begin(frame.configuration)
    for (m, move) in likelihood.moves.enumerated() {
      let sampling = samplings[m]
      for k in 0..<move.subjectCount(atomCount: frame.positions.count) where sampling.samples(k, inFrame: number) {
        guard move.begin(k, evaluator) else { continue }
        let stream = m << Self.subjectBits | k
        var random = Philox(seed: likelihood.seed, purpose: .candidates, frame: number, stream: stream)
        var draws = Philox(seed: likelihood.seed, purpose: .hessian, frame: number, stream: stream)
        for choice in 0..<sampling.repeats {
          let turn = sampling.choiceNumber(k, inFrame: number, choice)
          move.draw(k, turn: turn, evaluator, into: &candidates, using: &random)
          addChoice(weight: sampling.weight, &draws)
        }
        move.end(k, evaluator)
      }
    }
  }

  /// Number of low bits of a stream of random numbers that hold the subject; the bits above hold the move.
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

  /// Adds φ(x) - Σ p φ(y) to the gradient, and writes the mean Σ p φ(y).
  private func addGradient(_ weight: Double, _ mean: UnsafeMutablePointer<Double>) {
    mean.update(repeating: 0, count: count)
    for candidate in 0..<candidates.count where probabilities[candidate] > Self.leastForGradient {
      let (p, row) = (probabilities[candidate], candidates.functions(candidate))
      for k in 0..<count { mean[k] += p * row[k] }
    }
    let own = candidates.functions(0)
    for k in 0..<count { gradient[k] += weight * (own[k] - mean[k]) }
  }

  /// Adds an unbiased estimate of Σ p (φ - mean)(φ - mean)ᵀ to the Hessian. Likely candidates are always added, others
  /// with a probability proportional to √p, because functions that vanish at all likely candidates are determined by
  /// unlikely ones alone.
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
