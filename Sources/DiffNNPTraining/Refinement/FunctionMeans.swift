import DiffNNP
import DiffNNPFrames

/// Means over frames of the sums of all functions of a `LinearModel`, and their dependence on the volume of the cell:
/// where volumes fluctuate, the few cells of the chains do not have the mean volume of the frames.
struct FunctionMeans: Parcelled {
  private var frameCount: Double
  private var means: [Double]
  /// Means of absolute values.
  private(set) var sizes: [Double]
  /// Means of volume (Å³), its square, and of the functions times it.
  private var volume: Double
  private var squaredVolume: Double
  private var products: [Double]

  init(of frames: Frames, _ range: Range<Int>, _ model: LinearModel) throws {
    let evaluator = LinearModelEvaluator(model)
    (frameCount, volume, squaredVolume) = (Double(range.count), 0, 0)
    means = Array(repeating: 0, count: model.count)
    (sizes, products) = (means, means)
    let weight = 1 / Double(range.count)
    for k in range {
      let frame = try frames.frame(at: k)
      let v = frame.cell.volume
      volume += weight * v
      squaredVolume += weight * v * v
      for (f, sum) in try evaluator.sums(frame.configuration).enumerated() {
        means[f] += weight * sum
        sizes[f] += weight * abs(sum)
        products[f] += weight * sum * v
      }
    }
  }

  /// The means over all frames from those over parts of the frames.
  init(_ parts: [FunctionMeans]) {
    let total = parts.reduce(0) { $0 + $1.frameCount }
    func mean(_ value: (FunctionMeans) -> Double) -> Double {
      parts.reduce(0) { $0 + $1.frameCount * value($1) } / total
    }
    func means(_ values: (FunctionMeans) -> [Double]) -> [Double] {
      values(parts[0]).indices.map { f in mean { values($0)[f] } }
    }
    frameCount = total
    (volume, squaredVolume) = (mean(\.volume), mean(\.squaredVolume))
    (self.means, sizes, products) = (means(\.means), means(\.sizes), means(\.products))
  }

  /// Slopes of the functions' sums with respect to the volume, by least squares over the frames; 0 where all volumes
  /// are the same.
  var volumeSlopes: [Double] {
    let variance = squaredVolume - volume * volume
    let varies = variance > 1e-9 * squaredVolume
    return means.indices.map { varies ? (products[$0] - means[$0] * volume) / variance : 0 }
  }

  /// The means at a volume (Å³).
  func means(at volume: Double, _ slopes: [Double]) -> [Double] {
    zip(means, slopes).map { $0 + $1 * (volume - self.volume) }
  }

  // MARK: Between ranks

  init(from parcel: inout Parcel) {
    frameCount = Double(from: &parcel)
    (volume, squaredVolume) = (Double(from: &parcel), Double(from: &parcel))
    (means, sizes, products) = (parcel.take(), parcel.take(), parcel.take())
  }

  func put(into parcel: inout Parcel) {
    for value in [frameCount, volume, squaredVolume] { value.put(into: &parcel) }
    for values in [means, sizes, products] { parcel.put(values) }
  }
}
