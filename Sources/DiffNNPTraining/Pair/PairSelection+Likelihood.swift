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
    try newton(likelihood, usesForces: false, name: "likelihood", from: start, progress: progress)
  }

  /// The likelihood of force labels, Gaussian about the force of the potential with a variance estimated for each type
  /// of atom; plus the conditional likelihood, where one is given.
  func forces(
    expanding likelihood: ConditionalLikelihood?, from start: Choice, progress: (String) -> Void
  ) throws -> Choice {
    try newton(
      likelihood, usesForces: true, name: likelihood == nil ? "forces" : "likelihood and forces", from: start,
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
    _ likelihood: ConditionalLikelihood?, usesForces: Bool, name: String, from start: Choice,
    progress: (String) -> Void
  ) throws -> Choice {
    // The start may have holes where no pair was seen; the wall closes them.
    var c = RepulsiveWall().applied(
      to: start.powers[0], basis, smallestDistances: statistics.smallestDistances)
    var variances = usesForces ? forceVariances(nil) : []
    var best: Choice?
    var previous: (c: [Double], objective: Double, prior: SmoothnessPrior)?
    for step in 0..<8 {
      var objective = try objective(likelihood, variances: variances, about: c)
      while let last = previous, step > 0 {
        // Far from the minimum a full step may overshoot: halve it until the objective falls.
        let now = objective.value + penalty(c, last.prior)
        if now <= last.objective + 1e-3 * frameCount { break }
        c = zip(c, last.c).map { 0.5 * ($0 + $1) }
        objective = try self.objective(likelihood, variances: variances, about: c)
        if zip(c, last.c).allSatisfy({ abs($0 - $1) < 1e-6 }) { break }
      }
      let (choice, priorUsed) = try choose(objective, name: name)
      let change = objective.value + penalty(c, priorUsed)
        - QuadraticForm.sum(objective.forms).value(choice.powers[0]) - objective.constants.reduce(0, +)
        - penalty(choice.powers[0], priorUsed)
      progress("\(name): \(choice.chosen.heldOut) for a frame held out")
      previous = (c, objective.value + penalty(c, priorUsed), priorUsed)
      c = choice.powers[0]
      best = choice
      if usesForces {
        variances = forceVariances(c)
        previous = nil
      }
      if change < 1e-5 * frameCount * atomsPerFrame && (!usesForces || step >= 3) { break }
    }
    return best!
  }

  private func objective(
    _ likelihood: ConditionalLikelihood?, variances: [Double], about c: [Double]
  ) throws -> Objective {
    var result = Objective(
      forms: blocks.ranges.map { _ in QuadraticForm(count: basis.count) },
      constants: blocks.ranges.map { _ in 0 }, value: 0)
    if let likelihood {
      for (block, expansion) in try likelihood.expansions(about: c).enumerated() {
        result.forms[block] = expansion.form
        result.constants[block] = expansion.constant
        result.value += expansion.value
      }
    }
    for (type, variance) in variances.enumerated() {
      for block in blocks.ranges.indices {
        let form = statistics.forceForms[type][block]
        result.forms[block].add(form, weight: 1 / variance)
        result.constants[block] += 0.5 * statistics.forceSquares[type][block] / variance
        result.value += (form.value(c) + 0.5 * statistics.forceSquares[type][block]) / variance
      }
    }
    return result
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
