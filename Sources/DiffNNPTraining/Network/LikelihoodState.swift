import DiffNNP

/// All that a refinement by likelihood carries from step to step. Random numbers follow from the seed and the step.
struct LikelihoodState: Equatable, Sendable {
  var parameters: [Double]
  var optimiser: Adam
  /// What is added to the pair term's coefficients, and its moving average.
  var pairCorrection: [Double]
  var averagePair: [Double]
  /// Moving average of n/n_data for each pair function.
  var pairRatio: [Double]
  var pairDifference = 0.0
  /// Frames that the chains started from: cell and types are theirs.
  var starts: [Int]
  var chains: [LangevinChain]
  var restarts = 0

  init(parameters: [Double], pairCount: Int, starts: [Int], chains: [LangevinChain]) {
    self.parameters = parameters
    optimiser = Adam(parameters)
    pairCorrection = Array(repeating: 0, count: pairCount)
    averagePair = pairCorrection
    pairRatio = Array(repeating: 1, count: pairCount)
    self.starts = starts
    self.chains = chains
  }
}
