import DiffNNP
import DiffNNPAnalysis

#if canImport(Glibc)
  import Glibc
#endif

/// Averages over all trainings of one row on one number of frames.
package struct StudySummary: Sendable {
  /// Name of the system.
  package let system: String
  /// Name of the row.
  package let row: String
  /// Number of frames of training data.
  package let frameCount: Int
  /// Records of the trainings, in order of replicas.
  package let records: [StudyRecord]

  /// Groups records, in the order of `rows`, then by frames.
  package static func summaries(_ records: [StudyRecord], system: String, rows: [String]) -> [StudySummary] {
    rows.flatMap { row in
      let mine = records.filter { $0.key.system == system && $0.key.row == row }
      return Set(mine.map(\.key.frameCount)).sorted().map { count in
        StudySummary(
          system: system, row: row, frameCount: count,
          records: mine.filter { $0.key.frameCount == count }.sorted { $0.key.replica < $1.key.replica })
      }
    }
  }

  /// Names of all measures, in order of first appearance.
  package var measureNames: [String] {
    var seen: Set<String> = []
    return records.flatMap(\.measures).map(\.name).filter { seen.insert($0).inserted }
  }

  /// Values of a measure, of the records that have it. "rdf_mae" is the mean of all "rdf_mae.…".
  package func values(_ measure: String) -> [Double] {
    records.compactMap { record in
      if let value = record.value(measure) { return value }
      let parts = record.measures.filter { $0.name.hasPrefix(measure + ".") }.map(\.value)
      return parts.isEmpty ? nil : parts.reduce(0, +) / Double(parts.count)
    }
  }

  /// Mean over the records, and its standard error from their scatter (NaN for one record); nil where none has the
  /// measure.
  package func mean(_ measure: String) -> (value: Double, error: Double)? {
    let values = values(measure)
    guard !values.isEmpty else { return nil }
    return (values.reduce(0, +) / Double(values.count), BlockStatistics.standardError(values))
  }

  /// g(r), the mean over the records, with its standard errors; nil where there is none.
  package var distribution: RadialDistribution? {
    let all = records.compactMap(\.distribution)
    guard let first = all.first else { return nil }
    func statistics(_ body: ([Double]) -> Double) -> [[Double]] {
      first.values.indices.map { p in first.values[p].indices.map { bin in body(all.map { $0.values[p][bin] }) } }
    }
    return RadialDistribution(
      typeNames: first.typeNames, binWidth: first.binWidth,
      values: statistics { $0.reduce(0, +) / Double($0.count) },
      errors: all.count > 1 ? statistics(BlockStatistics.standardError) : nil)
  }
}

/// The number of frames with which one way of training becomes as good as another.
package struct FramesNeeded: Sendable {
  /// The number of frames where the curve crosses the target, and the ends `lower` and `upper` of its 95 % confidence
  /// interval. Nil where it does not come down to the target; the fewest frames tried where it begins below it.
  package let frames: Double?
  package let lower: Double?
  package let upper: Double?
  /// The fewest frames that were tried.
  package let fewestTried: Int

  /// Finds the crossing of a curve with a target. The curve is straight between points of log N and log measure. The
  /// interval is a bootstrap over the replicas of each point and of the target.
  /// - Parameters:
  ///   - curve: summaries of one row, by frames.
  ///   - target: the summary to be matched.
  ///   - measure: name of the measure, of which smaller values are better.
  package init(_ curve: [StudySummary], toMatch target: StudySummary, measure: String) {
    let points = curve.map { (count: Double($0.frameCount), values: $0.values(measure)) }.filter { !$0.values.isEmpty }
    let goal = target.values(measure)
    fewestTried = curve.map(\.frameCount).min() ?? 0
    guard !points.isEmpty, !goal.isEmpty else {
      (frames, lower, upper) = (nil, nil, nil)
      return
    }
    func mean(_ x: [Double]) -> Double { x.reduce(0, +) / Double(x.count) }
    frames = Self.crossing(points.map { ($0.count, mean($0.values)) }, mean(goal))
    var random = Philox(seed: 1, purpose: .resampling, frame: 0)
    func resampled(_ x: [Double]) -> Double { mean(x.map { _ in x[Int(random.next() % UInt64(x.count))] }) }
    let samples = (0..<Self.resamplings).map { _ in
      Self.crossing(points.map { ($0.count, resampled($0.values)) }, resampled(goal)) ?? .infinity
    }.sorted()
    func quantile(_ q: Double) -> Double? {
      let x = samples[Int(q * Double(samples.count - 1))]
      return x.isFinite ? x : nil
    }
    (lower, upper) = (quantile(0.025), quantile(0.975))
  }

  private static let resamplings = 2000

  /// The last crossing from above, beyond which the curve stays below the goal.
  private static func crossing(_ points: [(Double, Double)], _ goal: Double) -> Double? {
    guard let last = points.lastIndex(where: { $0.1 > goal }) else { return points[0].0 }
    guard last + 1 < points.count else { return nil }
    let (a, b) = (points[last], points[last + 1])
    return a.0 * pow(b.0 / a.0, log(a.1 / goal) / log(a.1 / b.1))
  }
}
