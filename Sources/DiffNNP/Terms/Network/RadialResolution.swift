/// The resolution of radial tables for dynamics: as coarse as forces allow, since fewer intervals stay in cache.
enum RadialResolution {
  /// Largest error of forces by tables, as a fraction of the largest force.
  static let tolerance = 5e-6
  /// Largest error of a table at any distance, relative to the largest weight and to the largest slope. Forces are then
  /// wrong by about this fraction of the largest, mostly by a third of it or less, because errors of edges have either
  /// sign, but in some networks by 1.3 times as much.
  static let tableTolerance = 0.7 * tolerance
  /// Largest error of forces by tables (eV/Å); where forces are larger than 1 eV/Å, this fraction of the largest, which
  /// is the accuracy of single precision.
  static let forceTolerance = 1e-6
  static let fewestIntervals = 64
  static let mostIntervals = 4096

  /// The fewest intervals with which all layers' tables are within the tolerance, and the forces on the atoms of a
  /// trial within half of theirs.
  /// - Parameter energyScale: eV for one unit of the network's energy.
  static func intervals(_ plan: NetworkPlan, parameters: [Double], energyScale: Double) -> Int {
    let trial = RadialTrial(plan, parameters: parameters)
    return fewest(from: intervals(plan, parameters: parameters)) {
      let (error, size) = trial.forceError(intervals: $0)
      return energyScale * error <= 0.5 * forceTolerance * max(1, energyScale * size)
    }
  }

  /// As above, by the tables alone.
  static func intervals(_ plan: NetworkPlan, parameters: [Double]) -> Int {
    plan.layers.indices.reduce(fewestIntervals) { intervals, layer in
      let network = parameters.withUnsafeBufferPointer {
        RadialNetwork<Dual<Double>>(plan, layer: layer, parameters: $0.baseAddress!)
      }
      return fewest(from: intervals) { error(network, intervals: $0) <= tableTolerance }
    }
  }

  /// The first number of intervals that is enough: doubled until it is, then in steps of an eighth from half of that.
  private static func fewest(from start: Int, _ isEnough: (Int) -> Bool) -> Int {
    var intervals = start
    while intervals < mostIntervals, !isEnough(intervals) { intervals *= 2 }
    guard intervals > start else { return start }
    return (5..<8).lazy.map { intervals / 8 * $0 }.first(where: isEnough) ?? intervals
  }

  /// The largest difference between splines of this many intervals and the radial network: the larger one of that of
  /// weights, over the largest weight, and that of slopes, over the largest slope. Measured a quarter of the way from
  /// one knot to the next, where the error t²(1 - t)² of a cubic spline has more than half of its largest value and its
  /// slope nearly all of it.
  static func error(_ network: RadialNetwork<Dual<Double>>, intervals: Int) -> Double {
    let spacing = network.rMax / Double(intervals)
    let columns = network.columns
    // Knots -3…intervals + 3; beyond the cutoff it is zero.
    var values = [Double](repeating: 0, count: columns * (intervals + 7))
    for k in -3..<intervals {
      let weights = network.evaluate(Dual(Double(k) * spacing))
      for (c, weight) in weights.enumerated() { values[c * (intervals + 7) + k + 3] = weight.value }
    }
    let exact = (0..<intervals).map { network.evaluate(Dual((Double($0) + 0.25) * spacing, 1)) }
    var (weight, slope) = (Deviation(), Deviation())
    for c in 0..<columns {
      let knots = Array(values[c * (intervals + 7)..<(c + 1) * (intervals + 7)])
      let rows = RadialSpline.rows(fromValues: knots, intervals: intervals)
      for m in 0..<intervals {
        let (c0, c1, c2, c3) = (rows[4 * m], rows[4 * m + 1], rows[4 * m + 2], rows[4 * m + 3])
        weight.take(c0 + 0.25 * (c1 + 0.25 * (c2 + 0.25 * c3)), exact[m][c].value)
        slope.take((c1 + 0.25 * (2 * c2 + 0.25 * 3 * c3)) / spacing, exact[m][c].tangent)
      }
    }
    return max(weight.relative, slope.relative)
  }

  private struct Deviation {
    var difference = 0.0
    var size = 0.0

    mutating func take(_ value: Double, _ exact: Double) {
      difference = max(difference, abs(value - exact))
      size = max(size, abs(exact))
    }

    var relative: Double { size > 0 ? difference / size : 0 }
  }
}
