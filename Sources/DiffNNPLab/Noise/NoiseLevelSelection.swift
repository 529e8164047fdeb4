#if canImport(Glibc)
  import Glibc
#endif
import DiffNNP
import DiffNNPTraining

/// Solves for pair potentials with many combinations of noise levels and picks one by cross-validation over blocks of time.
struct NoiseLevelSelection {
  let scores: PairScores
  let noised: NoisedScores
  let atomsPerFrame: Double
  let threads: Int

  /// A combination of noise levels: Σ_σ τ^p L_σ(Σ_k τ^k c_k).
  struct Levels {
    var name: String
    /// Indices into the statistics' levels.
    var levels: [Int]
    /// Power p of τ in the weight of a level.
    var weightPower: Double
    /// Degree in τ.
    var degree: Int
  }

  /// A fit, and how it was chosen.
  struct Choice {
    var chosen: LinearFit.Candidate
    var candidates: [LinearFit.Candidate]
    /// Coefficients of pairs at τ → 0, or at the only level.
    var pairs: [Double]
    /// Held-out objective at σ → 0 for a frame.
    var heldOutScore: Double
  }

  private var basis: PairBasis { scores.basis }
  private var blocks: TimeBlocks { scores.blocks }

  // MARK: Candidates

  /// One level alone.
  static func single(_ noised: NoisedScores, sigma: Double) -> [Levels] {
    let level = noised.sigmas.firstIndex(of: sigma)!
    return [Levels(name: "σ \(sigma) Å", levels: [level], weightPower: 0, degree: 0)]
  }

  /// σ = 0 and two of the levels up to 0.1 Å, each alone.
  static func small(_ noised: NoisedScores) -> [Levels] {
    let sigmas = noised.sigmas.filter { $0 <= 0.1 + 1e-9 }
    return [0, sigmas.count / 2, sigmas.count - 1].reduce(into: []) { chosen, k in
      if !chosen.contains(sigmas[k]) { chosen.append(sigmas[k]) }
    }.flatMap { single(noised, sigma: $0) }
  }

  /// Ladders of growing height and degree.
  static func ladders(_ noised: NoisedScores) -> [Levels] {
    let sigmas = noised.sigmas
    var result: [Levels] = []
    for (top, degree) in [(0.1, 1), (0.2, 1), (0.4, 2)] {
      let levels = sigmas.indices.filter { sigmas[$0] > 0 && sigmas[$0] <= top + 1e-9 }
      guard levels.count > degree + 1 else { continue }
      for power in [0.5, 1] {
        result.append(
          Levels(
            name: "σ ≤ \(top) Å, weight τ^\(power), degree \(degree)", levels: levels, weightPower: power,
            degree: degree))
      }
    }
    return result
  }

  // MARK: Denoising

  /// The best of all combinations and priors, by the objective at σ → 0 on blocks held out (at the level itself where
  /// there is only one).
  func best(
    of combinations: [Levels],
    priors: [SmoothnessPrior] = SmoothnessPrior.strengths.map { SmoothnessPrior(strength: $0) }
  ) throws -> Choice {
    let validation = combinations.count == 1 ? combinations[0].levels[0] : 0
    let results = try Parallel.map(combinations.count, threads: threads) { item in
      try compare(priors, for: combinations[item], validation: validation)
    }.enumerated().map { self.choice(combinations[$0], priors, $1) }
    var choice = results.min { $0.chosen.heldOut < $1.chosen.heldOut }!
    choice.candidates = results.flatMap(\.candidates)
    return choice
  }

  /// The best prior for one level alone.
  func best(ofLevel sigma: Double) throws -> Choice { try best(of: Self.single(noised, sigma: sigma)) }

  /// The best of small levels alone with any prior, and of ladders with the prior found there.
  func bestLadder() throws -> Choice {
    var first = try best(of: Self.small(noised))
    let ladders = Self.ladders(noised)
    if ladders.isEmpty { return first }
    var second = try best(of: ladders, priors: [SmoothnessPrior(strength: first.chosen.priors[0])])
    let all = first.candidates + second.candidates
    first.candidates = all
    second.candidates = all
    return second.chosen.heldOut < first.chosen.heldOut ? second : first
  }

  /// Held-out objectives of priors for a combination, and the solution with the best of them.
  private struct Comparison {
    /// The objective on blocks held out, for each prior.
    var scores: [Double]
    var best: Int
    var coefficients: [Double]
    var heldOutScore: Double
  }

  private func choice(_ combination: Levels, _ priors: [SmoothnessPrior], _ found: Comparison) -> Choice {
    let candidates = priors.indices.map {
      LinearFit.Candidate(name: combination.name, priors: [priors[$0].strength], heldOut: found.scores[$0])
    }
    return Choice(
      chosen: candidates[found.best], candidates: candidates, pairs: found.coefficients,
      heldOutScore: found.heldOutScore)
  }

  private func compare(_ priors: [SmoothnessPrior], for combination: Levels, validation: Int) throws -> Comparison {
    let forms = blocks.ranges.indices.map { ladderForm(combination, block: $0) }
    let total = QuadraticForm.sum(forms)
    let scale = priorScale(total, reference: validation)
    let solutions = try priors.map { prior in
      try heldOutSolutions(forms, total, prior, scale: scale, degree: combination.degree)
    }
    let scores = solutions.map { heldOut($0, noised.forms[validation]) }
    let k = scores.indices.min { scores[$0] < scores[$1] }!
    let c = try solution(total, priors[k], weight: scale * frameCount, degree: combination.degree)
    return Comparison(
      scores: scores, best: k, coefficients: Array(c[..<basis.count]),
      heldOutScore: heldOut(solutions[k], noised.forms[0]))
  }

  /// The objective of a combination over one block; powers of τ follow each other, in units of the largest τ.
  private func ladderForm(_ combination: Levels, block: Int) -> QuadraticForm {
    let n = basis.count
    let unit = tauUnit(combination.levels)
    var form = QuadraticForm(count: n * (combination.degree + 1))
    for level in combination.levels {
      let tau = noised.sigmas[level] * noised.sigmas[level] / unit
      let weight = combination.levels.count == 1 ? 1 : exp(combination.weightPower * log(tau))
      for a in 0...combination.degree {
        for b in 0...combination.degree {
          form.add(
            noised.forms[level][block], weight: weight * power(tau, a + b),
            vectorWeight: b == 0 ? weight * power(tau, a) : 0, row: a * n, column: b * n)
        }
      }
    }
    return form
  }

  private func tauUnit(_ levels: [Int]) -> Double {
    let top = levels.map { noised.sigmas[$0] }.max()!
    return top > 0 ? top * top : 1
  }

  /// The factor by which the summed objective has a larger curvature than that of one level, for which priors are
  /// stated.
  private func priorScale(_ total: QuadraticForm, reference: Int) -> Double {
    let n = basis.count
    let own = (0..<n).reduce(0) { $0 + total.matrix[$1 * total.count + $1] }
    return own / noised.forms[reference].reduce(0) { $0 + $1.trace }
  }

  private var frameCount: Double { Double(blocks.frameCount) }

  private func solution(_ form: QuadraticForm, _ prior: SmoothnessPrior, weight: Double, degree: Int) throws -> [Double]
  {
    var form = form
    for k in 0...degree {
      prior.add(to: &form, basis, weight: weight * atomsPerFrame, offset: k * basis.count)
    }
    return try form.minimiser()
  }

  /// For each block, the coefficients at τ → 0 fitted to all other blocks.
  private func heldOutSolutions(
    _ forms: [QuadraticForm], _ total: QuadraticForm, _ prior: SmoothnessPrior, scale: Double, degree: Int
  ) throws -> [[Double]] {
    try forms.indices.map { block in
      var others = total
      others.add(forms[block], weight: -1)
      let weight = scale * Double(blocks.trainingFrameCount(holdingOut: block))
      return Array(try solution(others, prior, weight: weight, degree: degree)[..<basis.count])
    }
  }

  /// Mean over frames of an objective on the blocks held out.
  private func heldOut(_ solutions: [[Double]], _ forms: [QuadraticForm]) -> Double {
    zip(solutions, forms).reduce(0) { $0 + $1.1.value($1.0) } / frameCount
  }

  private func power(_ x: Double, _ n: Int) -> Double { (0..<n).reduce(1) { product, _ in product * x } }
}
