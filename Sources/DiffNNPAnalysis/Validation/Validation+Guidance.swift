// What limits the agreement of runs and frames, and what would help.
extension Validation {
  /// Largest ratio of a divergence of angles to the one expected from sampling that still counts as agreement.
  private static let angleAgreement = 4.0

  /// Sentences about what limits the agreement of runs and frames, and what would help.
  func guidance() throws -> [String] {
    let comparisons = try comparisons().filter { $0.expected != nil }
    guard let simulated, !comparisons.isEmpty, runs.allSatisfy({ $0.failure == nil }) else { return [] }
    func sum(_ value: (PairComparison) -> Double?) -> Double { comparisons.reduce(0) { $0 + (value($1) ?? .nan) } }
    let (error, expected) = (sum(\.error), sum(\.expected))
    let angles = strangeAngles
    guard error > Self.agreement * expected else {
      return angles.isEmpty ? [precision(simulated)] : [manyBody(angles)]
    }
    if noised != nil, sum(\.noisedError) < 0.7 * error {
      return [
        "What differs is mostly the noise: runs are closer to frames with noise of \(settings.sigma.significant(3)) Å than to "
          + "the frames. Train by the likelihood, which is the default of diffnnp train and has no such bias, or with a smaller level "
          + "of noise; more frames would not help."
      ]
    }
    return angles.isEmpty
      ? [
        "diffnnp learning-curve tells whether more frames would help; if not, try a network (diffnnp train --network)."
      ]
      : [manyBody(angles)]
  }

  /// Labels of the angles that differ by more than sampling explains.
  private var strangeAngles: [String] {
    guard let angles else { return [] }
    return angles.known.filter { angles.divergences[$0] > Self.angleAgreement * angles.expected[$0] }.map {
      angles.labels[$0]
    }
  }

  private func manyBody(_ labels: [String]) -> String {
    "The angles \(labels.joined(separator: ", ")) differ from the frames' by more than sampling explains. "
      + "Pairs alone cannot say what angles are; triplets say more with more frames, and a network may (diffnnp train --network)."
  }

  /// Says whether runs or frames limit how small a difference can be told from chance.
  private func precision(_ simulated: RadialDistribution) -> String {
    guard let mine = simulated.samplingFloor(rMax: settings.rMax),
      let theirs = frames.samplingFloor(rMax: settings.rMax)
    else { return "No difference is seen." }
    let known = mine.indices.filter { !mine[$0].isNaN && !theirs[$0].isNaN }
    func sum(_ floors: [Double]) -> Double { known.reduce(0) { $0 + floors[$1] } }
    return sum(mine) > sum(theirs)
      ? "No difference is seen; longer runs would show smaller ones."
      : "No difference is seen; only more frames would show smaller ones."
  }
}
