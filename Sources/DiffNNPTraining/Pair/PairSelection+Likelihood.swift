import DiffNNP

/// The objective of a potential that is linear in its coefficients, beyond scores.
struct LinearObjective {
  var basis: LinearBasis
  /// The conditional likelihood of atoms' positions.
  var likelihood: ConditionalLikelihood?
  /// The likelihood of force labels, Gaussian about the force of the potential with a variance for each type of atom.
  var labels: ForceLabels?
  var forces: WeightedForces?

  var name: String {
    let stages = [likelihood == nil ? nil : "likelihood", labels == nil ? nil : "forces"]
    return (basis.triplets == nil ? "" : "triplets by ") + stages.compactMap { $0 }.joined(separator: " and ")
  }
}

extension PairSelection {
  /// Minimises an objective by Newton steps from given coefficients of its basis; each step chooses its prior by the
  /// objective on held-out blocks, to second order about the current point.
  /// - Parameters:
  ///   - prior: to choose from first.
  ///   - isLast: whether the result is to be used, and not only to start from.
  func minimum(
    of objective: LinearObjective, prior: LinearPrior, isLast: Bool, from start: [Double],
    progress: (String) -> Void
  ) throws -> Choice {
    var (objective, prior) = (objective, prior)
    if let labels = objective.labels { objective.forces = try weighted(labels, prior, from: start) }
    let basis = objective.basis
    // The start may have gaps at distances where the data have no pairs; the wall closes them.
    var c =
      RepulsiveWall().applied(
        to: basis.pairPart(start), basis.pairs, smallestDistances: statistics.connectedDistances)
      + basis.tripletPart(start)
    let first = try descend(objective, &prior, .low, from: &c, progress: progress)
    // Labels alone have no choices, and know no effort.
    guard isLast, let likelihood = objective.likelihood else { return first.choice }
    var (choice, whole) = try descend(objective, &prior, .full, from: &c, progress: progress)
    var rest = objective.forces?.total ?? QuadraticForm(count: basis.count)
    add(prior, basis, to: &rest)
    add(prior, basis, to: &whole)
    choice.minimum = LikelihoodMinimum(whole: whole, rest: rest, weight: likelihood.choicesForAnAtom(.full))
    return choice
  }

  private func add(_ prior: LinearPrior, _ basis: LinearBasis, to form: inout QuadraticForm) {
    prior.add(to: &form, basis, weight: frameCount * atomsPerFrame)
  }

  /// An objective about the current point, for each block.
  private struct Expansion {
    var forms: [QuadraticForm]
    var constants: [Double]
    /// The objective itself at the point of expansion.
    var value: Double

    /// The objective of all blocks to second order.
    func expected(at c: [Double]) -> Double {
      zip(forms, constants).reduce(0) { $0 + $1.0.value(c) + $1.1 }
    }
  }

  /// Makes Newton steps on the choices of an effort. How good a prior is shows near its own minimum, so each step
  /// chooses anew.
  /// - Parameters:
  ///   - prior: to choose from first; becomes the best.
  ///   - c: where to begin; becomes the last point of expansion.
  /// - Returns: the minimiser about that point, and the expansion of all blocks there.
  private func descend(
    _ objective: LinearObjective, _ prior: inout LinearPrior, _ effort: ConditionalLikelihood.Effort,
    from c: inout [Double], progress: (String) -> Void
  ) throws -> (choice: Choice, expansion: QuadraticForm) {
    let basis = objective.basis
    var current = try expansion(of: objective, effort, about: c)
    var stepsLeft = effort.mostSteps
    while true {
      let total = QuadraticForm.sum(current.forms)
      let choice = try choose(current, total, &prior, basis, name: objective.name)
      progress("\(objective.name): \(choice.chosen.heldOut) for a frame held out")
      // Labels alone are quadratic: their first step is the last.
      guard objective.likelihood != nil, stepsLeft > 0 else { return (choice, total) }
      stepsLeft -= 1
      var next = choice.coefficients
      let before = current.value + penalty(c, prior, basis)
      let promised = before - current.expected(at: next) - penalty(next, prior, basis)
      guard promised > ConditionalLikelihood.Effort.tolerance * Double(basis.count) else { return (choice, total) }
      // Its matrices make room for those of the next.
      current.forms = []
      current = try expansion(of: objective, effort, about: next)
      // Far from the minimum a full step may overshoot.
      for halving in 0..<8
      where !(before - current.value - penalty(next, prior, basis) > 0.25 * promised / Double(1 << halving)) {
        next = zip(next, c).map { 0.5 * ($0 + $1) }
        current.forms = []
        current = try expansion(of: objective, effort, about: next)
      }
      c = next
    }
  }

  private func expansion(
    of objective: LinearObjective, _ effort: ConditionalLikelihood.Effort, about c: [Double]
  ) throws -> Expansion {
    var result: Expansion
    if let likelihood = objective.likelihood {
      let expansions = try likelihood.expansions(about: c, effort)
      result = Expansion(
        forms: expansions.map(\.form), constants: expansions.map(\.constant),
        value: expansions.reduce(0) { $0 + $1.value })
    } else {
      result = Expansion(
        forms: blocks.ranges.map { _ in QuadraticForm(count: objective.basis.count) },
        constants: blocks.ranges.map { _ in 0 }, value: 0)
    }
    guard let forces = objective.forces else { return result }
    for block in blocks.ranges.indices {
      result.forms[block].add(forces.forms[block], weight: 1)
      result.constants[block] += forces.constants[block]
      result.value += forces.forms[block].value(c) + forces.constants[block]
    }
    return result
  }

  /// Labels without errors, weighted by their variances, about the force of a potential fitted to them. Errors are
  /// found once more when there is such a potential.
  private func weighted(
    _ labels: ForceLabels, _ prior: LinearPrior, from start: [Double]
  ) throws -> WeightedForces {
    var prior = prior
    let objective = LinearObjective(
      basis: labels.basis, labels: labels, forces: try labels.weighted(about: start))
    let expansion = try expansion(of: objective, .full, about: start)
    let c = try choose(expansion, .sum(expansion.forms), &prior, labels.basis, name: objective.name).coefficients
    return try labels.weighted(about: c)
  }

  /// The best prior for an objective, by its own value on blocks held out, and the minimiser with it.
  /// - Parameter prior: the start, replaced by the best one. Width and smoothness are chosen one after the other.
  private func choose(
    _ objective: Expansion, _ total: QuadraticForm, _ prior: inout LinearPrior, _ basis: LinearBasis, name: String
  ) throws -> Choice {
    let widths = try scores(prior.widths, objective, total, basis)
    if let best = Score.best(widths) { prior = best.prior }
    let smoothnesses = try scores(prior.smoothnesses, objective, total, basis)
    let best = Score.best(smoothnesses)!
    prior = best.prior
    let others = widths.filter { width in !smoothnesses.contains { $0.prior == width.prior } }
    var whole = total
    add(prior, basis, to: &whole)
    let c = try whole.minimiser()
    return Choice(
      chosen: best.candidate(name), candidates: (others + smoothnesses).map { $0.candidate(name) },
      pairs: basis.pairPart(c), triplets: basis.tripletPart(c),
      heldOutScore: heldOut(best.solutions.map(basis.pairPart), statistics.forms[0]))
  }

  /// A prior with its held-out objective.
  private struct Score {
    var prior: LinearPrior
    /// The solution from all other blocks, for each block.
    var solutions: [[Double]]
    /// The mean over frames of the objective on the blocks held out.
    var heldOut: Double

    /// The score with the lowest objective; nil where there are none.
    static func best(_ scores: [Score]) -> Score? { scores.min { $0.heldOut < $1.heldOut } }

    func candidate(_ name: String) -> PairFit.Candidate {
      PairFit.Candidate(
        name: name, degree: 0, prior: prior.smoothness, tripletWidth: prior.tripletWidth, heldOut: heldOut)
    }
  }

  private func scores(
    _ priors: [LinearPrior], _ objective: Expansion, _ total: QuadraticForm, _ basis: LinearBasis
  ) throws -> [Score] {
    let solutions = try ranks.map(priors.count * blocks.count, threads: threads) { item in
      let (prior, block) = item.quotientAndRemainder(dividingBy: blocks.count)
      var rest = total
      rest.add(objective.forms[block], weight: -1)
      priors[prior].add(
        to: &rest, basis, weight: Double(blocks.trainingFrameCount(holdingOut: block)) * atomsPerFrame)
      return try rest.minimiser()
    }
    let constant = objective.constants.reduce(0, +) / frameCount
    return priors.indices.map { k in
      let own = Array(solutions[k * blocks.count..<(k + 1) * blocks.count])
      return Score(prior: priors[k], solutions: own, heldOut: heldOut(own, objective.forms) + constant)
    }
  }

  private func penalty(_ c: [Double], _ prior: LinearPrior, _ basis: LinearBasis) -> Double {
    var form = QuadraticForm(count: basis.count)
    add(prior, basis, to: &form)
    return form.value(c)
  }
}
