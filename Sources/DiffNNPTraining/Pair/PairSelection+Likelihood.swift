#if canImport(Glibc)
  import Glibc
#endif
import DiffNNP

extension PairSelection {
  /// Newton steps on the conditional likelihood from `start`; each chooses its prior by the likelihood of blocks held
  /// out, to second order about the current point.
  func likelihood(
    _ likelihood: ConditionalLikelihood, from start: Choice, progress: (String) -> Void
  ) throws -> Choice {
    try newton(likelihood, variances: [], name: "likelihood", from: start, progress: progress)
  }

  /// The likelihood of force labels, Gaussian about the force of the potential with a variance estimated for each type
  /// of atom; plus the conditional likelihood, where one is given.
  func forces(
    expanding likelihood: ConditionalLikelihood?, from start: Choice, progress: (String) -> Void
  ) throws -> Choice {
    try newton(
      likelihood, variances: fittedForceVariances(), name: likelihood == nil ? "forces" : "likelihood and forces",
      from: start,
      progress: progress)
  }

  /// Coefficients of τ and τ² for a potential whose σ → 0 limit is given: Σ_σ τ L_σ(c_0 + τ c_1 + τ² c_2) is least.
  func completed(_ limit: [Double], prior: SmoothnessPrior) throws -> [[Double]] {
    let n = limit.count
    let noisy = statistics.sigmas.indices.filter { statistics.sigmas[$0] > 0 }
    let degree = min(2, noisy.count)
    let unit = noisy.map { statistics.sigmas[$0] * statistics.sigmas[$0] }.max()!
    var total = QuadraticForm(count: n * degree)
    for level in noisy {
      let tau = statistics.sigmas[level] * statistics.sigmas[level] / unit
      var form = QuadraticForm.sum(statistics.forms[level])
      let explained = form.product(limit)
      for k in 0..<n { form.vector[k] -= explained[k] }
      for a in 1...degree {
        for b in 1...degree {
          total.add(
            form, weight: tau * power(tau, a + b), vectorWeight: b == 1 ? tau * power(tau, a) : 0, row: (a - 1) * n,
            column: (b - 1) * n)
        }
      }
    }
    let c = try solution(total, prior, weight: frameCount, degree: degree - 1)
    return [limit]
      + (1...degree).map { a in c[(a - 1) * n..<a * n].map { $0 / power(unit, a) } }
  }

  /// An objective about the current point, for each block.
  private struct Objective {
    var forms: [QuadraticForm]
    var constants: [Double]
    var value: Double
  }

  private func newton(
    _ likelihood: ConditionalLikelihood?, variances: [Double], name: String, from start: Choice,
    progress: (String) -> Void
  ) throws -> Choice {
    // The start may have holes where no pair was seen; the wall closes them.
    var c = RepulsiveWall().applied(to: start.powers[0], basis, smallestDistances: statistics.connectedDistances)
    if let likelihood {
      let tolerance = 1e-4 * frameCount * atomsPerFrame
      var current = try objective(likelihood, .low, variances, about: c)
      for _ in 0..<20 {
        let (choice, prior) = try choose(current, name: name)
        progress("\(name): \(choice.chosen.heldOut) for a frame held out")
        let before = current.value + penalty(c, prior)
        var next = choice.powers[0]
        var trial = try objective(likelihood, .low, variances, about: next)
        // Far from the minimum a full step may overshoot.
        for _ in 0..<8 where !(trial.value + penalty(next, prior) < before + tolerance) {
          next = zip(next, c).map { 0.5 * ($0 + $1) }
          trial = try objective(likelihood, .low, variances, about: next)
        }
        let gain = before - trial.value - penalty(next, prior)
        (c, current) = (next, trial)
        if gain < tolerance { break }
      }
    }
    let choice = try choose(objective(likelihood, .full, variances, about: c), name: name).0
    progress("\(name): \(choice.chosen.heldOut) for a frame held out")
    return choice
  }

  private func objective(
    _ likelihood: ConditionalLikelihood?, _ effort: ConditionalLikelihood.Effort, _ variances: [Double],
    about c: [Double]
  ) throws -> Objective {
    var result = Objective(
      forms: blocks.ranges.map { _ in QuadraticForm(count: basis.count) },
      constants: blocks.ranges.map { _ in 0 }, value: 0)
    if let likelihood {
      for (block, expansion) in try likelihood.expansions(about: c, effort).enumerated() {
        result.forms[block] = expansion.form
        result.constants[block] = expansion.constant
        result.value += expansion.value
      }
    }
    for (type, variance) in variances.enumerated() {
      for block in blocks.ranges.indices {
        let form = statistics.forceForms[type][block]
        let constant = 0.5 * statistics.forceSquares[type][block] / variance
        result.forms[block].add(form, weight: 1 / variance)
        result.constants[block] += constant
        result.value += form.value(c) / variance + constant
      }
    }
    return result
  }

  /// Variances of the force labels about the force of a potential fitted to them, with which it is fitted again.
  private func fittedForceVariances() throws -> [Double] {
    var variances = forceVariances(nil)
    for _ in 0..<2 {
      let none = Array(repeating: 0.0, count: basis.count)
      let choice = try choose(objective(nil, .full, variances, about: none), name: "forces").0
      variances = forceVariances(choice.powers[0])
    }
    return variances
  }

  /// Mean square of what the potential leaves of the force labels, for each type, in (kT/Å)² a component.
  private func forceVariances(_ c: [Double]?) -> [Double] {
    statistics.forceForms.indices.map { type in
      var sum = statistics.forceSquares[type].reduce(0, +)
      let count = max(1, statistics.forceCounts[type].reduce(0, +))
      if let c { sum += 2 * statistics.forceForms[type].reduce(0) { $0 + $1.value(c) } }
      return max(sum / Double(count), 1e-6)
    }
  }

  /// The best prior for an objective, by its own value on blocks held out, and the minimiser with it.
  private func choose(_ objective: Objective, name: String) throws -> (Choice, SmoothnessPrior) {
    let total = QuadraticForm.sum(objective.forms)
    let priors = SmoothnessPrior.candidates
    let constant = objective.constants.reduce(0, +) / frameCount
    let solutions = try Parallel.map(priors.count, threads: threads) {
      try heldOutSolutions(objective.forms, total, priors[$0], scale: 1, degree: 0)
    }
    let candidates = priors.indices.map {
      PairFit.Candidate(
        name: name, degree: 0, prior: priors[$0], heldOut: heldOut(solutions[$0], objective.forms) + constant)
    }
    let k = candidates.indices.min { candidates[$0].heldOut < candidates[$1].heldOut }!
    let c = try solution(total, priors[k], weight: frameCount, degree: 0)
    let choice = Choice(
      chosen: candidates[k], candidates: candidates, powers: [c],
      heldOutScore: heldOut(solutions[k], statistics.forms[0]))
    return (choice, priors[k])
  }

  private func penalty(_ c: [Double], _ prior: SmoothnessPrior) -> Double {
    var form = QuadraticForm(count: basis.count)
    prior.add(to: &form, basis, weight: frameCount * atomsPerFrame)
    return form.value(c)
  }
}
