import DiffNNP
import DiffNNPAnalysis
import DiffNNPCommandLine

/// A scan over noise levels in numbers, in words and as a figure.
package struct NoiseScanSummary {
  /// One noise level, or the likelihood.
  package struct Row {
    /// Noise level (Å); nil for the likelihood.
    package var sigma: Double?
    /// Objective for an atom of each held-out frame (1/Å²).
    package var objectives: [Double]
    /// Mean |Δg| over all pairs; nil without a run that lasted.
    package var errors: (bias: Double, learning: Double, total: Double, sampling: Double)?
    /// Time the runs were stable for (ps), and why they ended; nil without runs.
    package var stableTime: Double?
    package var failure: String?

    /// - Parameter run: the validation of its potential; nil where nothing was run.
    package init(_ point: NoiseScan.Point, run: Validation?) throws {
      (sigma, objectives) = (point.sigma, point.objectives)
      (stableTime, failure) = (run?.stableTime, run?.runs.compactMap(\.failure).first)
      guard let run, let simulated = run.simulated else { return }
      // The mean over the pairs that both have.
      func mean(_ errors: [Double]) -> Double {
        let known = errors.filter { !$0.isNaN }
        return known.reduce(0, +) / Double(known.count)
      }
      let noised = run.noised ?? run.frames
      errors = (
        mean(try noised.meanAbsoluteError(against: run.frames)), mean(try simulated.meanAbsoluteError(against: noised)),
        mean(try simulated.meanAbsoluteError(against: run.frames)),
        mean(try simulated.samplingFloor(against: run.frames) ?? [])
      )
    }

    package var name: String { sigma.map { $0.significant(3) } ?? "likelihood" }
  }

  package let rows: [Row]
  /// Number of atoms of each held-out frame.
  private let weights: [Double]

  /// - Parameter atomCounts: numbers of atoms of all frames, the last of which are those held out.
  package init(_ rows: [Row], atomCounts: [Double]) {
    self.rows = rows
    weights = Array(atomCounts.suffix(rows.first?.objectives.count ?? 0))
  }

  /// The level with the smallest objective.
  private var best: Row? { rows.filter { $0.sigma != nil }.min { objective($0) < objective($1) } }
  private var likelihood: Row? { rows.first { $0.sigma == nil } }

  private func objective(_ row: Row) -> Double { BlockStatistics.mean(row.objectives, weights: weights).mean }

  /// The objective above the best level's, with its standard error from blocks of time.
  private func excess(_ row: Row) -> (mean: Double, error: Double) {
    BlockStatistics.mean(zip(row.objectives, (best ?? row).objectives).map { $0 - $1 }, weights: weights)
  }

  /// The table and the advice.
  package var text: String {
    var lines = ["σ (Å)       σ² (Å²)   objective (1/Å²)  bias    learning  total   sampling"]
    for row in rows {
      var line = row.name.padded(to: 12) + (row.sigma.map { ($0 * $0).significant(3) } ?? "").padded(to: 10)
      line += objective(row).fixed(4).padded(to: 18)
      if let e = row.errors {
        line += e.bias.fixed(4).padded(to: 8) + e.learning.fixed(4).padded(to: 10) + e.total.fixed(4).padded(to: 8)
        line += e.sampling.isNaN ? "–" : e.sampling.fixed(4)
      }
      if let failure = row.failure { line += "  failed after \((row.stableTime ?? 0).significant(3)) ps: \(failure)" }
      lines.append(line)
    }
    return (lines + advice).joined(separator: "\n")
  }

  /// A mean |Δg| counts as worse than another where it is larger by this factor.
  private static let worse = 1.5

  /// Advice in words.
  package var advice: [String] {
    guard let best, let sigma = best.sigma else { return [] }
    var lines = ["Of single levels, σ = \(sigma.significant(3)) Å has the forces closest to those behind the frames."]
    if let e = best.errors {
      let reason: String
      if e.total < Self.worse * e.sampling {
        reason = "its g(r) agrees with the frames as well as sampling can tell"
      } else if e.bias > e.learning {
        reason =
          "its error in g(r) is mostly bias of the noise: a smaller level, or the likelihood, would help; more frames would not"
      } else {
        reason =
          "its error in g(r) is mostly error of learning: more frames would help, or triplets, which need the likelihood"
      }
      lines.append("There, \(reason).")
    }
    return lines + [likelihood.map { comparison($0, best, sigma) }].compactMap { $0 }
  }

  /// Compares the likelihood with the best level: by their runs or, without runs, by their forces.
  private func comparison(_ likelihood: Row, _ best: Row, _ sigma: Double) -> String {
    let (stay, level) = ("stay with diffnnp train", "σ = \(sigma.significant(3)) Å")
    let change = "try diffnnp-lab train --set noise.mode=fresh --set noise.sigma=\(sigma.significant(3))"
    if let mine = likelihood.errors, let theirs = best.errors {
      let errors = "mean |Δg| is \(mine.total.fixed(4)) with the likelihood, and \(theirs.total.fixed(4)) with \(level)"
      if likelihood.failure != nil, best.failure == nil {
        return "With pairs alone, the run with the likelihood failed, and the one with \(level) did not: \(change)."
      }
      // NaN, where sampling is not known, is no reason to change.
      let isWorse = mine.total > Self.worse * theirs.total && mine.total > Self.worse * mine.sampling
      return "With pairs alone, \(errors): \(isWorse ? change : stay)."
    }
    let (mean, error) = excess(likelihood)
    let difference = "\(abs(mean).fixed(3)) ± \(error.fixed(3))"
    let what = "The likelihood, by which diffnnp train learns,"
    switch mean {
    case ..<(-2 * error): return "\(what) has better forces (objective lower by \(difference)): \(stay)."
    case (2 * error)...:
      return
        "\(what) has forces less close than \(level) (objective higher by \(difference)), but knows how deep wells are, "
        + "which forces hardly tell: only runs (--ps) show which structure is better."
    default: return "\(what) has forces as good (objective differs by \(difference)): \(stay)."
    }
  }

  /// Table and advice as JSON.
  package var json: JSONValue {
    func number(_ x: Double?) -> JSONValue { x.map { .number($0) } ?? .null }
    let rows = self.rows.map { row in
      let (excess, error) = excess(row)
      return JSONValue.object([
        .init("name", .string(row.name)), .init("sigma", number(row.sigma)),
        .init("objective", .number(objective(row))),
        .init("excess", .number(excess)), .init("excess_error", .number(error)),
        .init("bias", number(row.errors?.bias)), .init("learning", number(row.errors?.learning)),
        .init("total", number(row.errors?.total)), .init("sampling", number(row.errors?.sampling)),
        .init("stable_ps", number(row.stableTime)), .init("failure", row.failure.map { .string($0) } ?? .null),
      ])
    }
    return .object([
      .init("levels", .array(rows)), .init("recommended_sigma", number(best?.sigma)),
      .init("advice", JSONValue(advice)),
    ])
  }

  /// Objectives and errors as functions of the level.
  package var figure: Figure {
    let levels = rows.filter { $0.sigma != nil }
    let errors = levels.map { excess($0).error }
    var panels = [
      panel(
        "Held-out objective", "L [1/Å²]",
        [Curve("one level", x: levels.map { $0.sigma! }, y: levels.map(objective), errors: errors, style: .next(0))],
        likelihood: likelihood.map(objective))
    ]
    let measured = levels.filter { $0.errors != nil }
    if !measured.isEmpty {
      func curve(_ name: String, _ k: Int, _ value: (Row) -> Double) -> Curve {
        Curve(name, x: measured.map { $0.sigma! }, y: measured.map(value), style: .next(k))
      }
      panels.append(
        panel(
          "g(r)", "mean |Δg|",
          [
            curve("bias of the noise", 1) { $0.errors!.bias }, curve("error of learning", 2) { $0.errors!.learning },
            curve("run against frames", 3) { $0.errors!.total },
          ], likelihood: likelihood?.errors?.total))
    }
    return Figure(panels)
  }

  /// Curves against σ, and the likelihood's value as a line.
  private func panel(_ title: String, _ yLabel: String, _ curves: [Curve], likelihood: Double?) -> Panel {
    let x = curves.flatMap(\.x)
    let ends = [x.min() ?? 0, x.max() ?? 0]
    let line = likelihood.map { Curve("the likelihood", x: ends, y: [$0, $0], style: .faint) }
    var panel = Panel(title, xLabel: "σ / Å", yLabel: yLabel, curves: [line].compactMap { $0 } + curves)
    panel.hasPoints = true
    return panel
  }
}
