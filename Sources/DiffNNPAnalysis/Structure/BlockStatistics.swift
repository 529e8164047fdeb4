#if canImport(Glibc)
  import Glibc
#endif

/// Means and standard errors from contiguous blocks of a time series.
///
/// Frames of one run are correlated, so their scatter says little about the error of their mean. Means over blocks
/// much longer than the correlation time are independent (Flyvbjerg & Petersen, J. Chem. Phys. 91, 461 (1989)).
public enum BlockStatistics {
  /// The mean of a time series and its standard error; the error is NaN where the series is too short for blocks.
  public static func mean(_ series: [Double]) -> (mean: Double, error: Double) {
    func mean(_ x: ArraySlice<Double>) -> Double { x.reduce(0, +) / Double(x.count) }
    let ranges = ranges(frameCount: series.count, blockCount: defaultBlockCount(frameCount: series.count))
    return (mean(series[...]), standardError(ranges.map { mean(series[$0]) }))
  }

  /// Blocks for a series of `frameCount` frames: ten, five where there are fewer than 50 frames, none below five.
  static func defaultBlockCount(frameCount: Int) -> Int {
    frameCount >= 50 ? 10 : frameCount >= 5 ? 5 : 0
  }

  /// Frames of each of `blockCount` contiguous blocks, equally long to within one frame.
  static func ranges(frameCount: Int, blockCount: Int) -> [Range<Int>] {
    (0..<blockCount).map { $0 * frameCount / blockCount..<($0 + 1) * frameCount / blockCount }
  }

  /// Standard error of the mean of `blocks`, which are means over equally long parts. For Gaussian blocks it is unbiased:
  /// the square root of the sample variance is too small by the factor c4(n) ≈ 1 - 1/(4n) - 7/(32n²).
  static func standardError(_ blocks: [Double]) -> Double {
    let n = Double(blocks.count)
    guard n > 1 else { return .nan }
    let mean = blocks.reduce(0, +) / n
    let variance = blocks.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
    let c4 = exp(lgamma(n / 2) - lgamma((n - 1) / 2)) * (2 / (n - 1)).squareRoot()
    return (variance / n).squareRoot() / c4
  }

  /// Mean absolute value of a Gaussian of unit standard deviation, √(2/π).
  static let meanAbsoluteDeviation = (2 / Double.pi).squareRoot()
}
