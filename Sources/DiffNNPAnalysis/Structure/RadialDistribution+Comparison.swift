import DiffNNP

// Measures of one g(r), or of the difference of two.
extension RadialDistribution {
  /// Bins that lie below `limit` (Å).
  func bins(below limit: Double) -> Range<Int> { 0..<min(binCount, Int((limit / binWidth).rounded())) }

  /// Mean absolute difference of two g(r) over the bins below `rMax`, for each pair; NaN for pairs that no frame of one
  /// of them has.
  /// - Throws: where they have different bins or species.
  public func meanAbsoluteError(against reference: RadialDistribution, rMax: Double = 10) throws -> [Double] {
    let bins = try commonBins(reference, rMax: rMax)
    return pairs.indices.map { p in
      guard has(p), reference.has(p) else { return .nan }
      let (g, h) = (values[p], reference.values[p])
      return bins.reduce(0) { $0 + abs(g[$1] - h[$1]) } / Double(bins.count)
    }
  }

  /// Whether any frame has two atoms of a pair, given by its number; tables are taken to have all.
  func has(_ pair: Int) -> Bool { counts.map { $0.framesWithPairs[pair] > 0 } ?? true }

  /// The mean absolute error that sampling alone is expected to leave in the bins below `rMax`, for each pair: what a
  /// perfect model of these frames would show against the truth if it were sampled by as many frames, and what the
  /// frames themselves show. From the standard errors of the bins, √(2/π) times their mean. Nil where errors are
  /// unknown, NaN where those of a pair are, and where no frame has it.
  public func samplingFloor(rMax: Double = 10) -> [Double]? {
    errors?.enumerated().map { p, errors in has(p) ? meanAbsoluteDeviation(errors, bins(below: rMax)) : .nan }
  }

  /// The mean absolute error between two samplings of one truth: the errors of both, added in quadrature.
  /// The floor is nil where the errors of neither are known, NaN as in `samplingFloor(rMax:)`.
  /// - Throws: where they have different bins or species.
  public func samplingFloor(against other: RadialDistribution, rMax: Double = 10) throws -> [Double]? {
    let bins = try commonBins(other, rMax: rMax)
    guard let mine = errors ?? other.errors else { return nil }
    let theirs = errors == nil ? nil : other.errors
    return pairs.indices.map { p in
      guard has(p), other.has(p) else { return .nan }
      guard let b = theirs?[p] else { return meanAbsoluteDeviation(mine[p], bins) }
      return meanAbsoluteDeviation(zip(mine[p], b).map { ($0 * $0 + $1 * $1).squareRoot() }, bins)
    }
  }

  private func meanAbsoluteDeviation(_ errors: [Double], _ bins: Range<Int>) -> Double {
    BlockStatistics.meanAbsoluteDeviation * bins.reduce(0) { $0 + errors[$1] } / Double(bins.count)
  }

  private func commonBins(_ other: RadialDistribution, rMax: Double) throws -> Range<Int> {
    guard typeNames == other.typeNames else {
      throw DiffNNPError(
        "g(r) of different species: \(typeNames.joined(separator: " ")) and \(other.typeNames.joined(separator: " "))")
    }
    guard abs(binWidth - other.binWidth) < 1e-6 * binWidth else {
      throw DiffNNPError(
        "g(r) on different bins: \(binWidth) Å and \(other.binWidth) Å wide; compute both with one --dr")
    }
    let bins = bins(below: min(rMax, other.rMax))
    guard !bins.isEmpty else { throw DiffNNPError("no bins of g(r) in common below \(rMax) Å") }
    return bins
  }
}

// MARK: - Peaks and coordination

extension RadialDistribution {
  /// The first peak of a g(r) and the minimum behind it.
  public struct FirstShell: Equatable, Sendable {
    /// Position r (Å) and height g of the first maximum.
    public let peak: (r: Double, g: Double)
    /// Position r (Å) and depth g of the minimum behind it.
    public let minimum: (r: Double, g: Double)

    public static func == (a: FirstShell, b: FirstShell) -> Bool { a.peak == b.peak && a.minimum == b.minimum }
  }

  /// The first maximum, and the first minimum behind it, of g smoothed over five bins. Noise is not a peak: g must fall
  /// from a maximum, and rise from a minimum, by more than a twentieth of its largest value and three standard errors
  /// of the smoothed curve. Nil where g does not have both.
  public func firstShell(_ pair: TypePair) -> FirstShell? {
    let g = smoothed(values[index(pair)])
    // Errors of bins are nearly independent: weights 1 2 3 2 1 leave √19/9 of them.
    let noise =
      errors.map { smoothed($0[index(pair)]).map { $0.isNaN ? 0 : $0 * 19.0.squareRoot() / 9 } } ?? g.map { _ in 0 }
    guard let largest = g.max(), largest > 0 else { return nil }
    func significant(_ change: Double, _ bin: Int) -> Bool { change > max(0.05 * largest, 3 * noise[bin]) }

    var peak = 0
    var bin = 0
    while bin < binCount, !significant(g[peak] - g[bin], peak) {
      if g[bin] > g[peak] { peak = bin }
      bin += 1
    }
    var minimum = bin
    while bin < binCount, !significant(g[bin] - g[minimum], bin) {
      if g[bin] < g[minimum] { minimum = bin }
      bin += 1
    }
    guard bin < binCount else { return nil }
    let r = distances
    return FirstShell(peak: (r[peak], g[peak]), minimum: (r[minimum], g[minimum]))
  }

  /// The largest value between two distances (Å) of g smoothed over five bins; zero where there are no bins.
  public func peakHeight(_ pair: TypePair, from begin: Double, to end: Double) -> Double {
    let g = smoothed(values[index(pair)])
    return bins(below: end).dropFirst(bins(below: begin).count).map { g[$0] }.max() ?? 0
  }

  /// Mean number of atoms of type `neighbour` closer than `radius` (Å) to one of type `centre`, over the frames that
  /// have such pairs; nil for curves without counts, and where no frame has.
  public func coordinationNumber(of neighbour: Int, around centre: Int, within radius: Double) -> Double? {
    let pair = TypePair(centre, neighbour)
    guard let counts, counts.framesWithPairs[index(pair)] > 0 else { return nil }
    let (row, atoms) = (counts.pairs[index(pair)], counts.atoms[index(pair)])
    let pairs = bins(below: radius).reduce(0) { $0 + row[$1] }
    return pairs * (centre == neighbour ? 2 : 1) / (centre == pair.first ? atoms.first : atoms.second)
  }

  /// The Kirkwood–Buff integral ∫ (g - 1) 4πr² dr up to a distance (Å), in Å³ (Kirkwood & Buff, J. Chem. Phys. 19, 774
  /// (1951)): times the density of one type, the excess number of its atoms around an atom of the other.
  public func kirkwoodBuffIntegral(_ pair: TypePair, within radius: Double) -> Double {
    let g = values[index(pair)]
    return bins(below: radius).reduce(0) { sum, k in
      let (inner, outer) = (binWidth * Double(k), binWidth * Double(k + 1))
      return sum + (g[k] - 1) * 4 / 3 * Double.pi * (outer * outer * outer - inner * inner * inner)
    }
  }

  /// Weighted mean over five bins, 1 2 3 2 1: removes bin noise, keeps positions.
  private func smoothed(_ g: [Double]) -> [Double] {
    g.indices.map { k in
      var (sum, weight) = (0.0, 0.0)
      for d in -2...2 where g.indices.contains(k + d) {
        let w = Double(3 - abs(d))
        sum += w * g[k + d]
        weight += w
      }
      return sum / weight
    }
  }
}
