import DiffNNP

/// The comparison of runs and frames for one pair of types.
struct PairComparison {
  let label: String
  let key: String
  /// Mean absolute difference between the runs' g(r) and the frames'.
  let error: Double
  /// The mean absolute difference that sampling alone would leave, from the errors of both; nil where these are not
  /// known.
  let expected: Double?
  /// The sampling floor of the frames alone.
  let framesFloor: Double?
  /// Runs against the reference, and frames against the reference; nil without one.
  let referenceError: Double?
  let framesReferenceError: Double?
  /// Runs against frames with the noise that the potential belongs to; nil where that is none.
  let noisedError: Double?
  /// Smallest distances (Å).
  let smallest: Double?
  let framesSmallest: Double?
  /// The bin of the largest absolute difference: r (Å), g of the runs, g of the frames. How well sampling knows g there does
  /// not count, so it may well be at a high and noisy peak, and not where the difference is hardest to explain.
  let worst: (r: Double, simulated: Double, frames: Double)
}

extension Validation {
  /// Largest ratio of the difference of two g(r) to the expected one that still counts as agreement.
  static let agreement = 1.5
  private static let closeness = 3.0

  /// Shortest time that all runs were stable for (ps).
  public var stableTime: Double { runs.map(\.stableTime).min() ?? 0 }

  /// Comparisons of the pairs that both runs and frames have.
  func comparisons() throws -> [PairComparison] {
    guard let simulated else { return [] }
    let rMax = settings.rMax
    let errors = try simulated.meanAbsoluteError(against: frames, rMax: rMax)
    let expected = try simulated.samplingFloor(against: frames, rMax: rMax)
    let floors = frames.samplingFloor(rMax: rMax)
    let referenceErrors = try reference.map { try simulated.meanAbsoluteError(against: $0, rMax: rMax) }
    let framesReferenceErrors = try reference.map { try frames.meanAbsoluteError(against: $0, rMax: rMax) }
    let noisedErrors = try noised.map { try simulated.meanAbsoluteError(against: $0, rMax: rMax) }
    func known(_ x: Double?) -> Double? { x.flatMap { $0.isNaN ? nil : $0 } }
    return frames.pairs.enumerated().filter { simulated.has($0.offset) && frames.has($0.offset) }.map { p, pair in
      let (g, h) = (simulated.values[p], frames.values[p])
      let worst = g.indices.max { abs(g[$0] - h[$0]) < abs(g[$1] - h[$1]) } ?? 0
      return PairComparison(
        label: pair.label(frames.typeNames), key: pair.key(frames.typeNames), error: errors[p],
        expected: known(expected?[p]), framesFloor: known(floors?[p]), referenceError: referenceErrors?[p],
        framesReferenceError: framesReferenceErrors?[p], noisedError: noisedErrors?[p],
        smallest: simulated.counts?.smallestDistances[p] ?? nil,
        framesSmallest: frames.counts?.smallestDistances[p] ?? nil,
        worst: (simulated.distances[worst], g[worst], h[worst]))
    }
  }

  /// The results in sentences: stability, structure, temperature, and what would make it better.
  /// - Throws: where structures cannot be compared.
  public func verdict() throws -> [String] { try [stability] + structure() + temperature + surroundings + guidance() }

  /// An atom with a grade above this is outside the training data, as `pair_style diffnnp` warns.
  private static let outside = 2.0

  private var surroundings: [String] {
    let grades = runs.enumerated().compactMap { k, run in run.grades.map { (run: k + 1, summary: $0) } }
    guard let (run, worst) = grades.max(by: { $0.summary.largest < $1.summary.largest }) else { return [] }
    let largest = worst.largest.fixed(2)
    guard worst.largest > Self.outside else {
      return ["Runs stayed within the training data: the largest extrapolation grade of an atom was \(largest)."]
    }
    let part = grades.reduce(0) { max($0, $1.summary.outside) }
    return [
      "Runs left the training data: an atom had extrapolation grade \(largest) after \(worst.time.significant(4)) ps of run "
        + "\(run), and up to \((100 * part).significant(2)) % of the atoms of a run were above 1. What the potential says there "
        + "is a guess: more frames like those would help."
    ]
  }

  private var stability: String {
    let failed = runs.filter { $0.failure != nil }
    guard let first = failed.min(by: { $0.stableTime < $1.stableTime }), let reason = first.failure else {
      let each = runs.count == 1 ? "The run was" : "All \(runs.count) runs were"
      return "\(each) stable to the end, \((stableTime).significant(6)) ps."
    }
    let which =
      runs.count == 1
      ? "The run from \(first.start) failed"
      : "\(failed.count) of \(runs.count) runs failed, the first (from \(first.start))"
    return "\(which) after \(first.stableTime.significant(4)) ps: \(reason)."
  }

  private func structure() throws -> [String] {
    let comparisons = try comparisons()
    guard !comparisons.isEmpty else { return ["No run lasted long enough to compare structures."] }
    func names(_ c: [PairComparison]) -> String { c.map(\.label).joined(separator: ", ") }
    let unknown = comparisons.filter { $0.expected == nil }
    guard unknown.count < comparisons.count else {
      return ["There are too few frames to say how exactly the structures should agree."]
    }
    let judged = comparisons.filter { $0.expected != nil }
    let ratio = { (c: PairComparison) in c.error / max(c.expected!, 1e-12) }
    let same = judged.filter { ratio($0) <= Self.agreement }
    let close = judged.filter { ratio($0) > Self.agreement && ratio($0) <= Self.closeness }
    let different = judged.filter { ratio($0) > Self.closeness }
    var sentences: [String] = []
    if !unknown.isEmpty {
      sentences.append("\(names(unknown)): too few frames have such pairs to say how exactly g(r) should agree.")
    }
    if !same.isEmpty { sentences.append("\(names(same)): g(r) agrees with the frames as well as sampling can tell.") }
    for c in close + different {
      sentences.append(
        "\(c.label): g(r) \(ratio(c) <= Self.closeness ? "is close to the frames'" : "differs from the frames'"), "
          + "\(ratio(c).fixed(1)) times what sampling explains; most at \(c.worst.r.fixed(2)) Å, "
          + "where it is \(c.worst.simulated.fixed(2)) instead of \(c.worst.frames.fixed(2)).")
    }
    return sentences
  }

  private var temperature: [String] {
    runs.enumerated().compactMap { k, run in
      let (mean, error) = run.temperature
      guard error.isFinite else { return nil }
      let right = abs(mean - settings.temperature) <= max(3 * error, 0.02 * settings.temperature)
      guard !right else { return nil }
      return "The temperature of run \(k + 1) is \(mean.fixed(1)) ± \(error.fixed(1)) K "
        + "instead of \(settings.temperature.fixed(1)) K: try a shorter timestep."
    }
  }
}
