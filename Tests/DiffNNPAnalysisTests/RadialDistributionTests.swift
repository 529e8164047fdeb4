import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPAnalysis

@Suite struct RadialDistributionTests {
  /// Numbers from an independent program in NumPy (minimum images, `numpy.histogram`) for the configurations of
  /// `TestTrajectories.random`, seeds 1 and 2, r < 5.5 Å in 0.25 Å bins: g of seed 1 in bins 6, 10, 15 and 21, and the mean
  /// absolute difference between the two.
  @Test func agreesWithNumPy() throws {
    let g = try RadialDistribution(TestTrajectories.random(seed: 1), rMax: 5.5, binWidth: 0.25)
    let h = try RadialDistribution(TestTrajectories.random(seed: 2), rMax: 5.5, binWidth: 0.25)
    let expected = [
      [0.0, 1.7615553005920195, 0.5389149410760184, 1.1203834686296459],
      [1.9700233835023178, 0.7549522716822941, 0.6928906385263095, 1.1478928841540343],
      [0.37885065067352264, 0.5807325166786877, 1.3991060970242786, 1.1426987987053736],
    ]
    for (row, reference) in zip(g.values, expected) {
      for (bin, value) in zip([6, 10, 15, 21], reference) { #expect(abs(row[bin] - value) < 1e-12) }
    }
    let errors = try g.meanAbsoluteError(against: h)
    for (e, value) in zip(errors, [0.5195575183638508, 0.24446932249956452, 0.399495521298911]) {
      #expect(abs(e - value) < 1e-12)
    }
  }

  /// Beyond half the cell too, where images count, g of an ideal gas is one to within its own error bars, and its mean
  /// distance from one is what `samplingFloor` expects.
  @Test func idealGasIsFlat() throws {
    let g = try RadialDistribution(TestTrajectories.idealGas(frameCount: 200, seed: 3), rMax: 12, binWidth: 0.5)
    let errors = try #require(g.errors)
    let floor = try #require(g.samplingFloor(rMax: 12))
    // The volume of shell k over that at its middle radius, by which the convention for bins differs from one.
    func exact(_ k: Int) -> Double {
      let middle = Double(k) + 0.5
      return 1 + 1 / (12 * middle * middle)
    }
    for p in 0..<3 {
      let deviations = g.values[p].indices.map { abs(g.values[p][$0] - exact($0)) }
      #expect(zip(deviations, errors[p]).dropFirst(2).allSatisfy { $0 < 6 * $1 })
      let found = deviations.reduce(0, +) / Double(g.binCount)
      #expect(found < 2 * floor[p] && floor[p] < 2 * found)
    }
  }

  /// Shells of a face-centred cubic crystal: 12, 6, 24, 12 neighbours at √1, √2, √3, √4; also where shells reach beyond the
  /// cell, except for the images of an atom itself.
  @Test(arguments: [3, 5]) func crystalShells(_ repeats: Int) throws {
    let g = try RadialDistribution(TestTrajectories.faceCentredCubic(repeats: repeats), rMax: 2.2, binWidth: 0.02)
    for (radius, count) in [(0.9, 0.0), (1.2, 12), (1.6, 18), (1.9, 42), (2.1, 54)] {
      let found = try #require(g.coordinationNumber(of: 0, around: 0, within: radius))
      #expect(abs(found - count) < 1e-9)
    }
    let smallest = try #require(g.counts?.smallestDistances[0])
    #expect(abs(smallest - 1) < 1e-12)
  }

  @Test func coordinationCountsUnlikePairsFromBothSides() throws {
    let cell = try Cell(orthogonal: [20, 20, 20])
    let frame = Frame(cell: cell, positions: [[0, 0, 0], [1, 0, 0], [0, 1.5, 0], [5, 5, 5]], types: [0, 1, 1, 1])
    let g = try RadialDistribution(Trajectory(typeNames: ["A", "B"], frames: [frame]))
    #expect(g.coordinationNumber(of: 1, around: 0, within: 2) == 2)
    #expect(abs(g.coordinationNumber(of: 0, around: 1, within: 2)! - 2.0 / 3) < 1e-12)
    #expect(g.counts?.smallestDistances[0] == nil)
    #expect(g.errors == nil)
  }

  /// Frames without B between others change nothing that is said of B, errors included, and say as much of A as others.
  @Test func framesThatLackASpeciesSayNothingOfIt() throws {
    let frames = try Array(TestTrajectories.idealGas(frameCount: 40, seed: 7).frames)
    let names = ["A", "B"]
    let without = frames.map { frame in
      let atoms = frame.types.indices.filter { frame.types[$0] == 0 }
      return Frame(cell: frame.cell, positions: atoms.map { frame.positions[$0] }, types: atoms.map { _ in 0 })
    }
    func g(_ frames: [Frame]) throws -> RadialDistribution {
      try RadialDistribution(Trajectory(typeNames: names, frames: frames), rMax: 6, binWidth: 0.5, blockCount: 10)
    }
    let (all, mixed) = (try g(frames), try g(zip(frames, without).flatMap { [$0, $1] }))
    #expect(mixed.counts?.framesWithPairs == [80, 40, 40])
    #expect(zip(all.values[0], mixed.values[0]).allSatisfy { abs($0 - $1) < 1e-12 })
    for p in 1...2 {
      #expect(zip(all.values[p], mixed.values[p]).allSatisfy { abs($0 - $1) < 1e-12 })
      #expect(zip(all.errors![p], mixed.errors![p]).allSatisfy { abs($0 - $1) < 1e-12 })
    }
    for (a, b) in [(0, 1), (1, 0), (1, 1)] {
      let (x, y) = (all, mixed)
      #expect(
        abs(x.coordinationNumber(of: b, around: a, within: 4)! - y.coordinationNumber(of: b, around: a, within: 4)!)
          < 1e-12)
    }
    // Half of the blocks, and then one alone, have such pairs.
    let half = try g(Array(frames[..<20] + without[20...]))
    #expect(half.errors![1].dropFirst(3).allSatisfy { $0 > 0 })
    let one = try g(Array(frames[..<4] + without[4...]))
    #expect(one.errors![1].allSatisfy { $0.isNaN } && one.samplingFloor(rMax: 6)![1].isNaN)
    #expect(one.errors![0].allSatisfy { $0.isFinite })
    // No frame has B: there is nothing to compare.
    let nothing = try g(without).meanAbsoluteError(against: all)
    #expect(nothing[0] < 1e-12 && nothing[1].isNaN && nothing[2].isNaN)
  }

  /// Pairs of all frames over those of ideal gases in all frames, where numbers of atoms and volumes differ.
  @Test func framesCountByTheirPairs() throws {
    func frame(_ size: Double, _ neighbours: Int) throws -> Frame {
      let positions = (0..<neighbours + 1).map { k -> SIMD3<Double> in k == 0 ? .zero : [1.25, 0.001 * Double(k), 0] }
      return Frame(
        cell: try Cell(orthogonal: [size, size, size]), positions: positions,
        types: positions.indices.map { $0 == 0 ? 0 : 1 })
    }
    let frames = [try frame(10, 1), try frame(12, 3), try frame(11, 2)]
    let g = try RadialDistribution(Trajectory(typeNames: ["A", "B"], frames: frames), rMax: 2, binWidth: 0.5)
    let densities = 1 / 1000.0 + 3 / 1728.0 + 2 / 1331.0
    #expect(abs(g.values[1][2] - 6 / (densities * 4 * .pi * 1.25 * 1.25 * 0.5)) < 1e-12)
    #expect(g.coordinationNumber(of: 1, around: 0, within: 2) == 2)
    #expect(g.coordinationNumber(of: 0, around: 1, within: 2) == 1)
  }

  /// Nothing within 1 Å, twice as many as without correlation up to 2 Å.
  @Test func kirkwoodBuffIntegralCountsWhatIsMissing() throws {
    let g = (0..<200).map { $0 < 20 ? 0.0 : $0 < 40 ? 2 : 1 }
    let curve = RadialDistribution(typeNames: ["A"], binWidth: 0.05, values: [g])
    let (hole, whole) = (-4 / 3 * Double.pi, 4 / 3 * Double.pi * (8 - 1 - 1))
    #expect(abs(curve.kirkwoodBuffIntegral(TypePair(0, 0), within: 1) - hole) < 1e-9)
    #expect(abs(curve.kirkwoodBuffIntegral(TypePair(0, 0), within: 10) - whole) < 1e-9)
  }

  /// A contact peak below one, a deep minimum, a second peak that is higher, and noise: the contact peak is first.
  @Test func firstShellIgnoresNoise() throws {
    let r = (0..<200).map { (Double($0) + 0.5) * 0.05 }
    func bump(_ x: Double, _ centre: Double, _ width: Double) -> Double { max(0, 1 - abs(x - centre) / width) }
    let g = r.enumerated().map { k, x in
      0.4 * bump(x, 2.4, 0.4) + 3 * bump(x, 4.6, 0.8) + 0.02 * (k % 2 == 0 ? 1 : -1) + (x > 5 ? 0.8 : 0.05)
    }
    let curve = RadialDistribution(typeNames: ["A"], binWidth: 0.05, values: [g])
    let shell = try #require(curve.firstShell(TypePair(0, 0)))
    #expect(abs(shell.peak.r - 2.4) < 0.1)
    #expect(shell.minimum.r > 2.7 && shell.minimum.r < 3.9)
  }

  @Test func blocksMayNotBeMoreThanFrames() throws {
    let g = try RadialDistribution(TestTrajectories.random(seed: 1), rMax: 5, blockCount: 100)
    #expect(g.errors!.allSatisfy { $0.allSatisfy(\.isFinite) })
  }

  @Test func refusesWhatHasNoDensity() throws {
    let cell = try Cell(orthogonal: [10, 10, 10], periodic: [true, true, false])
    let frame = Frame(cell: cell, positions: [[0, 0, 0], [1, 0, 0]], types: [0, 0])
    expectError("frame 0: g(r) needs a density") {
      _ = try RadialDistribution(Trajectory(typeNames: ["A"], frames: [frame]))
    }
    expectError("no frames") { _ = try RadialDistribution(Trajectory(typeNames: ["A"], frames: [])) }
    expectError("bin width") { _ = try RadialDistribution(TestTrajectories.random(seed: 1), rMax: 5, binWidth: 0) }
  }

  @Test func refusesToCompareDifferentBins() throws {
    let frames = try TestTrajectories.random(seed: 1)
    let (g, h) = (try RadialDistribution(frames, binWidth: 0.05), try RadialDistribution(frames, binWidth: 0.1))
    expectError("different bins") { _ = try g.meanAbsoluteError(against: h) }
  }
}

@Suite struct BlockStatisticsTests {
  @Test func standardErrorOfUncorrelatedNumbersIsUnbiased() {
    var generator = SplitMix64(state: 5)
    // The sum of twelve uniform numbers is nearly Gaussian, of unit variance.
    func gaussian() -> Double {
      var sum = -6.0
      for _ in 0..<12 { sum += Double.random(in: 0..<1, using: &generator) }
      return sum
    }
    let repeats = 20_000
    var mean = 0.0
    for _ in 0..<repeats {
      let blocks: [Double] = (0..<5).map { _ in gaussian() }
      mean += BlockStatistics.standardError(blocks) / Double(repeats)
    }
    let expected = 1 / 5.0.squareRoot()
    #expect((mean - expected).magnitude < 0.005)
  }

  /// A ratio of sums over blocks of different weight, whose scatter falls with the weight: the error found is right on average,
  /// and blocks without weight change nothing.
  @Test func standardErrorOfARatioIsUnbiased() {
    var generator = SplitMix64(state: 9)
    func gaussian() -> Double {
      var sum = -6.0
      for _ in 0..<12 { sum += Double.random(in: 0..<1, using: &generator) }
      return sum
    }
    let weights = [1.0, 2, 2, 4, 1, 3, 2, 1]
    let repeats = 20_000
    var mean = 0.0
    for _ in 0..<repeats {
      let blocks = weights.map { (a: $0 * (3 + gaussian() / $0.squareRoot()), b: $0) }
      let error = BlockStatistics.standardError(blocks)
      mean += error * error / Double(repeats)
      #expect(BlockStatistics.standardError(blocks + [(0, 0), (0, 0)]) == error)
    }
    // Squares are unbiased but for the factor c4⁻² that makes roots so: 1.096 for the 6.4 blocks that these are worth.
    #expect(abs(mean * 16 - 1.096) < 0.03)
    #expect(BlockStatistics.standardError([(2, 1), (0, 0)]).isNaN)
  }

  /// Means over atoms: frames count by their number of these.
  @Test func meansTakeWeights() {
    let (mean, error) = BlockStatistics.mean([1, 2, 3, 4, 5], weights: [1, 0, 0, 0, 3])
    #expect(mean == 4 && error > 0)
    #expect(
      BlockStatistics.mean([1, 2, 3, 4, 5], weights: [2, 2, 2, 2, 2]).error
        == BlockStatistics.mean([1, 2, 3, 4, 5]).error)
  }

  @Test func blocksCoverAllFramesOnce() {
    let ranges = BlockStatistics.ranges(frameCount: 53, blockCount: 10)
    #expect(ranges.flatMap(Array.init) == Array(0..<53))
    #expect(ranges.allSatisfy { 5...6 ~= $0.count })
  }
}

/// Expects a `DiffNNPError` of one line with `part` in it.
func expectError(_ part: String, _ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) {
  do {
    try body()
    Issue.record("no error; expected one with '\(part)'", sourceLocation: sourceLocation)
  } catch {
    let message = "\(error)"
    #expect(error is DiffNNPError && message.contains(part) && !message.contains("\n"), sourceLocation: sourceLocation)
  }
}
