/// How well mean numbers of pairs are known, and how far those of a model can be told from those of the data.
///
/// A number N of pairs has the relative variance φ/N, where φ, 1 for independent pairs, is estimated from groups of
/// configurations that do not know of each other: blocks of time, or chains.
struct PairEvidence: Equatable, Sendable {
  /// Mean numbers of pairs in a configuration [function].
  let means: [Double]
  /// φ over the number of configurations: the relative variance of a mean times the mean.
  let factor: Double
  /// Functions with enough pairs to look at.
  let known: [Int]

  /// In all configurations.
  private static let fewestPairs = 100.0

  /// - Parameters:
  ///   - sums: numbers of pairs in the configurations of each group [group][function]; two groups at least.
  ///   - sizes: configurations in each group.
  init(sums: [[Double]], sizes: [Int]) {
    let total = Double(sizes.reduce(0, +))
    let means = sums[0].indices.map { f in sums.reduce(0) { $0 + $1[f] } / total }
    let known = means.indices.filter { means[$0] * total >= Self.fewestPairs }
    var squares = 0.0
    for f in known {
      for (group, size) in zip(sums, sizes) {
        let expected = means[f] * Double(size)
        squares += (group[f] - expected) * (group[f] - expected) / expected
      }
    }
    let freedom = Double(max(known.count, 1) * (sums.count - 1))
    (self.means, self.known, factor) = (means, known, squares / freedom / total)
  }

  /// Relative variance of a mean number of pairs.
  func variance(ofMean mean: Double) -> Double { factor / mean }

  /// Variance, over the functions that the data know, of the ratio of a model's numbers to those of the data, less what
  /// chance explains; 0 where chance explains all. The moment estimate of DerSimonian & Laird (Control. Clin. Trials 7,
  /// 177, 1986).
  func excessVariance(of model: PairEvidence) -> Double {
    var (excess, weights) = (0.0, 0.0)
    for f in known {
      let difference = model.means[f] / means[f] - 1
      let weight = 1 / (variance(ofMean: means[f]) + model.variance(ofMean: means[f]))
      excess += weight * difference * difference - 1
      weights += weight
    }
    return weights > 0 && weights.isFinite ? max(0, excess / weights) : 0
  }
}
