#if canImport(Glibc)
  import Glibc
#endif

/// Means and standard errors from contiguous blocks of a time series.
///
/// Frames of one run are correlated, so their scatter says little about the error of their mean. Means over blocks
/// much longer than the correlation time are independent (Flyvbjerg & Petersen, J. Chem. Phys. 91, 461 (1989)).
public enum BlockStatistics {
  /// The mean of a time series and its standard error; the error is NaN where the series is too short for blocks.
  /// - Parameter weights: of the values; nil where all count the same. A mean over the atoms of a frame counts by their
  ///   number.
  public static func mean(_ series: [Double], weights: [Double]? = nil) -> (mean: Double, error: Double) {
    func sums(_ range: Range<Int>) -> (a: Double, b: Double) {
      range.reduce((0, 0)) { sums, k in
        let weight = weights?[k] ?? 1
        return (sums.0 + weight * series[k], sums.1 + weight)
      }
    }
    let ranges = ranges(frameCount: series.count, blockCount: defaultBlockCount(frameCount: series.count))
    let whole = sums(0..<series.count)
    return (whole.a / whole.b, standardError(ranges.map(sums)))
  }

  /// Blocks for a series of `frameCount` frames: ten, five where there are fewer than 50 frames, none below five.
  static func defaultBlockCount(frameCount: Int) -> Int {
    frameCount >= 50 ? 10 : frameCount >= 5 ? 5 : 0
  }

  /// Frames of each of `blockCount` contiguous blocks, equally long to within one frame.
  static func ranges(frameCount: Int, blockCount: Int) -> [Range<Int>] {
    (0..<blockCount).map { $0 * frameCount / blockCount..<($0 + 1) * frameCount / blockCount }
  }

  /// Standard error of the mean of `blocks`, which are means over equally long blocks.
  package static func standardError(_ blocks: [Double]) -> Double { standardError(blocks.map { ($0, 1) }) }

  /// Standard error of the ratio of two sums, Σ a / Σ b, from blocks of both: that of the mean of a/b with weights b
  /// (Cochran, Sampling Techniques, 1977, §6.4). Blocks with b = 0 say nothing; weights that differ make as many blocks
  /// worth n = (Σ b)² / Σ b². NaN where one block alone says something.
  ///
  /// For Gaussian blocks it is unbiased: the square root of the sample variance is too small by the factor
  /// c4(n) ≈ 1 - 1/(4n) - 7/(32n²).
  static func standardError(_ blocks: [(a: Double, b: Double)]) -> Double {
    let (a, b) = blocks.reduce((0, 0)) { ($0.0 + $1.a, $0.1 + $1.b) }
    let n = b * b / blocks.reduce(0) { $0 + $1.b * $1.b }
    // A little more than one block is rounding.
    guard n > 1 + 1e-9 else { return .nan }
    let squares = blocks.reduce(0) { sum, block in
      let residual = block.a - a / b * block.b
      return sum + residual * residual
    }
    let variance = squares / (b * b) * n / (n - 1)
    let c4 = exp(lgamma(n / 2) - lgamma((n - 1) / 2)) * (2 / (n - 1)).squareRoot()
    return variance.squareRoot() / c4
  }

  /// Mean absolute value of a Gaussian of unit standard deviation, √(2/π).
  static let meanAbsoluteDeviation = (2 / Double.pi).squareRoot()
}
