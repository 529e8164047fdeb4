import DiffNNP

/// Minimises objectives of a linear model by Newton's method, with priors that cross-validation over blocks of time
/// chooses.
struct LinearMinimiser {
  let model: LinearModel
  let blocks: TimeBlocks
  /// Number of atoms in all frames together.
  let atomCount: Int
  let threads: Int
  var ranks = Ranks.one
  /// Called with a line of text at each step.
  var progress: (String) -> Void = { _ in }

  /// A minimum, and how its prior was chosen.
  struct Minimum {
    /// What was minimised: `pseudo-likelihood`, ….
    var name: String
    /// The prior chosen, and all that were compared.
    var chosen: Trial
    var trials: [Trial]
    /// The coefficients of all functions.
    var coefficients: [Double]
  }

  /// Priors with their held-out objective.
  struct Trial {
    /// The hyperparameter of each family's prior.
    var priors: [Double]
    /// For each block of time, the coefficients fitted to all other blocks.
    var solutions: [[Double]]
    /// The mean over frames of the objective on the blocks held out.
    var heldOut: Double
  }

  /// The expansion of all parts of the objective about the current coefficients, for each block of time.
  private struct Current {
    var forms: [QuadraticForm]
    var constants: [Double]
    /// The objective itself.
    var value: Double

    /// The objective of all blocks to second order.
    func expected(at c: [Double]) -> Double {
      zip(forms, constants).reduce(0) { $0 + $1.0.value(c) + $1.1 }
    }
  }

  /// Number of atoms in `frames` training frames, estimated by the mean over all frames.
  private func atomCount(frames: Int) -> Double {
    Double(frames) * (Double(atomCount) / Double(blocks.frameCount))
  }

  // MARK: Newton steps

  /// Minimises a sum of parts by Newton steps from given coefficients. Priors can only be compared near their own
  /// minima, so each step chooses them anew.
  /// - Parameters:
  ///   - priors: the hyperparameters to begin with; on return the best ones.
  ///   - c: the starting point; on return the point of the last expansion.
  /// - Returns: the minimiser about that point, and the expansion of all blocks there.
  func descend(
    _ parts: [any ObjectivePart], _ priors: inout [Double], _ effort: MinimisationEffort, from c: inout [Double]
  ) throws -> (minimum: Minimum, expansion: QuadraticForm) {
    let name = name(parts)
    var current = try expansion(of: parts, effort, about: c)
    var stepsLeft = effort.mostSteps
    while true {
      let total = QuadraticForm.sum(current.forms)
      let minimum = try choose(current, total, &priors, name: name)
      progress("\(name): \(minimum.chosen.heldOut) for a frame held out")
      // Where all parts are quadratic, the first step is the last.
      guard !parts.allSatisfy(\.isQuadratic), stepsLeft > 0 else { return (minimum, total) }
      stepsLeft -= 1
      var next = minimum.coefficients
      let before = current.value + penalty(c, priors)
      let promised = before - current.expected(at: next) - penalty(next, priors)
      guard promised > MinimisationEffort.tolerance * Double(model.count) else { return (minimum, total) }
      // Frees the old matrices before the new ones are computed.
      current.forms = []
      current = try expansion(of: parts, effort, about: next)
      // Far from the minimum a complete step may overshoot.
      for halving in 0..<8
      where !(before - current.value - penalty(next, priors) > 0.25 * promised / Double(1 << halving)) {
        next = zip(next, c).map { 0.5 * ($0 + $1) }
        current.forms = []
        current = try expansion(of: parts, effort, about: next)
      }
      c = next
    }
  }

  /// The minimum of quadratic parts.
  /// - Parameter priors: the hyperparameters to begin with; on return the best ones.
  func minimum(ofQuadratic parts: [any ObjectivePart], _ priors: inout [Double]) throws -> Minimum {
    let current = try expansion(of: parts, .full, about: Array(repeating: 0, count: model.count))
    return try choose(current, .sum(current.forms), &priors, name: name(parts))
  }

  private func name(_ parts: [any ObjectivePart]) -> String {
    let families = model.features.count > 1 ? model.features.map(\.name).joined(separator: " and ") + " by " : ""
    return families + parts.map(\.name).joined(separator: " and ")
  }

  private func expansion(of parts: [any ObjectivePart], _ effort: MinimisationEffort, about c: [Double]) throws
    -> Current
  {
    var sum = try parts[0].expansions(about: c, effort)
    for part in parts.dropFirst() {
      for (block, expansion) in try part.expansions(about: c, effort).enumerated() {
        sum[block].form.add(expansion.form, weight: 1)
        sum[block].constant += expansion.constant
        sum[block].value += expansion.value
      }
    }
    return Current(forms: sum.map(\.form), constants: sum.map(\.constant), value: sum.reduce(0) { $0 + $1.value })
  }

  // MARK: Priors

  /// Adds the priors of all frames to a form.
  func add(_ priors: [Double], to form: inout QuadraticForm) {
    model.addPriors(priors, to: &form, atomCount: atomCount(frames: blocks.frameCount))
  }

  private func penalty(_ c: [Double], _ priors: [Double]) -> Double {
    var form = QuadraticForm(count: model.count)
    add(priors, to: &form)
    return form.value(c)
  }

  /// Chooses the priors by the objective on held-out blocks, and returns the minimiser with them. The priors of the
  /// families are chosen one after the other, the last family first, because the best smoothness of pairs depends on
  /// how much triplets describe.
  private func choose(
    _ objective: Current, _ total: QuadraticForm, _ priors: inout [Double], name: String
  ) throws -> Minimum {
    var (all, best): ([Trial], Trial?) = ([], nil)
    for k in model.features.indices.reversed() {
      let candidates = model.features[k].priorCandidates.map { value in
        var candidate = priors
        candidate[k] = value
        return candidate
      }
      let trials = try trials(candidates, objective, total)
      all = all.filter { old in !trials.contains { $0.priors == old.priors } } + trials
      best = trials.min { $0.heldOut < $1.heldOut }!
      priors = best!.priors
    }
    var penalised = total
    add(priors, to: &penalised)
    return Minimum(name: name, chosen: best!, trials: all, coefficients: try penalised.minimiser())
  }

  private func trials(_ candidates: [[Double]], _ objective: Current, _ total: QuadraticForm) throws -> [Trial] {
    let solutions = try ranks.map(candidates.count * blocks.count, threads: threads) { item in
      let (candidate, block) = item.quotientAndRemainder(dividingBy: blocks.count)
      var others = total
      others.add(objective.forms[block], weight: -1)
      model.addPriors(
        candidates[candidate], to: &others,
        atomCount: atomCount(frames: blocks.trainingFrameCount(holdingOut: block)))
      return try others.minimiser()
    }
    let frameCount = Double(blocks.frameCount)
    let constant = objective.constants.reduce(0, +) / frameCount
    return candidates.indices.map { k in
      let own = Array(solutions[k * blocks.count..<(k + 1) * blocks.count])
      let heldOut = zip(own, objective.forms).reduce(0) { $0 + $1.1.value($1.0) } / frameCount
      return Trial(priors: candidates[k], solutions: own, heldOut: heldOut + constant)
    }
  }
}
