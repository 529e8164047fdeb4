import Testing

@testable import DiffNNP

/// What holds for every potential: one list for the pair term, triplets, networks of all kinds, and their sums.
@Suite struct PotentialPropertyTests {
  static let samples = SamplePotential.all
  /// Of sums in double precision.
  static let rounding = 1e-11

  private func expectEqual(
    _ a: [SIMD3<Double>], _ b: [SIMD3<Double>], within tolerance: Double,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(a.count == b.count, sourceLocation: sourceLocation)
    let difference = zip(a, b).map { length($0 - $1) }.max() ?? 0
    #expect(difference <= tolerance, sourceLocation: sourceLocation)
  }

  private func expectEqual(
    _ a: [Double], _ b: [Double], within tolerance: Double, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(a.count == b.count, sourceLocation: sourceLocation)
    let difference = zip(a, b).map { abs($0 - $1) }.max() ?? 0
    #expect(difference <= tolerance, sourceLocation: sourceLocation)
  }

  // MARK: Symmetries

  /// A virial that turns like a tensor is symmetric: three of its elements are given for six.
  @Test(arguments: samples)
  func turnsWithTheSystem(_ sample: SamplePotential) throws {
    let evaluator = Evaluator(sample.potential, precision: .double)
    let configuration = try SampleConfiguration.periodic()
    let result = try evaluator.evaluate(configuration)
    var random = SplitMix(seed: 23)
    let rotation = Rotation.random(using: &random)
    for map in [rotation] + (sample.isMirrorSymmetric ? [rotation.inverted] : []) {
      let turned = try evaluator.evaluate(map(configuration))
      let tolerance = Self.rounding * max(1, result.largestForce)
      expectEqual(turned.atomEnergies, result.atomEnergies, within: tolerance)
      expectEqual(turned.forces, result.forces.map { map($0) }, within: tolerance)
      expectEqual(turned.virial, map(tensor: result.virial), within: 10 * tolerance)
      for (a, b) in zip(turned.atomVirials, result.atomVirials) {
        expectEqual(a, map(tensor: b), within: 10 * tolerance)
      }
    }
  }

  @Test(arguments: samples)
  func ignoresTranslationsAndImages(_ sample: SamplePotential) throws {
    let evaluator = Evaluator(sample.potential, precision: .double)
    let configuration = try SampleConfiguration.periodic()
    let result = try evaluator.evaluate(configuration)
    var moved = configuration
    for i in moved.positions.indices {
      moved.positions[i] += [0.3, -1.7, 2.9] + Double(i - 2) * configuration.cell.vectors[i % 3]
    }
    let translated = try evaluator.evaluate(moved)
    let tolerance = Self.rounding * max(1, result.largestForce)
    expectEqual(translated.atomEnergies, result.atomEnergies, within: tolerance)
    expectEqual(translated.forces, result.forces, within: tolerance)
    expectEqual(translated.virial, result.virial, within: 10 * tolerance)
  }

  @Test(arguments: samples)
  func ignoresTheOrderOfAtoms(_ sample: SamplePotential) throws {
    let evaluator = Evaluator(sample.potential, precision: .double)
    let configuration = try SampleConfiguration.periodic()
    let result = try evaluator.evaluate(configuration)
    let order = [3, 5, 0, 4, 1, 2]
    let permuted = try evaluator.evaluate(
      Configuration(
        cell: configuration.cell, positions: order.map { configuration.positions[$0] },
        types: order.map { configuration.types[$0] }))
    let tolerance = Self.rounding * max(1, result.largestForce)
    expectEqual(permuted.atomEnergies, order.map { result.atomEnergies[$0] }, within: tolerance)
    expectEqual(permuted.forces, order.map { result.forces[$0] }, within: tolerance)
  }

  // MARK: Locality

  /// Far apart, energies add, and what happens in one fragment has no influence on the other.
  @Test(arguments: samples)
  func fragmentsAreIndependent(_ sample: SamplePotential) throws {
    let evaluator = Evaluator(sample.potential, precision: .double)
    let first = try SampleConfiguration.cluster(seed: 1)
    let other = try SampleConfiguration.cluster(seed: 2, at: [100, 50, -80])
    let alone = try (evaluator.evaluate(first), evaluator.evaluate(other))
    let both = try evaluator.evaluate(
      Configuration(
        cell: first.cell, positions: first.positions + other.positions, types: first.types + other.types))
    let tolerance = Self.rounding * max(1, both.largestForce)
    expectEqual(both.atomEnergies, alone.0.atomEnergies + alone.1.atomEnergies, within: tolerance)
    expectEqual(both.forces, alone.0.forces + alone.1.forces, within: tolerance)
    #expect(abs(both.energy - alone.0.energy - alone.1.energy) < tolerance)
  }

  /// An evaluator keeps nothing of what it computed before.
  @Test(arguments: samples)
  func evaluationsAreIndependent(_ sample: SamplePotential) throws {
    let evaluator = Evaluator(sample.potential, precision: .double)
    let configuration = try SampleConfiguration.cluster()
    let before = try evaluator.evaluate(configuration)
    _ = try evaluator.evaluate(SampleConfiguration.periodic())
    let after = try evaluator.evaluate(configuration)
    #expect(after.atomEnergies == before.atomEnergies)
    #expect(after.forces == before.forces)
    #expect(after.virial == before.virial)
  }

  /// No jump of energy or force at the cutoff of any term, and nothing at all at and beyond the largest.
  @Test(arguments: samples)
  func endsSmoothlyAtTheCutoff(_ sample: SamplePotential) throws {
    let evaluator = Evaluator(sample.potential, precision: .double)
    let potential = sample.potential
    func dimer(_ r: Double) throws -> Evaluation {
      try evaluator.evaluate(
        Configuration(
          cell: Cell(orthogonal: [50, 50, 50], periodic: [false, false, false]),
          positions: [.zero, r * SIMD3(2, 3, 6) / 7], types: [0, 1]))
    }
    for rMax in potential.terms.map(\.rMax) {
      let h = 1e-6
      let (inside, outside) = (try dimer(rMax - h), try dimer(rMax + h))
      let slope = dot(outside.forces[0], [2, 3, 6]) / 7
      #expect(abs(outside.energy - inside.energy - 2 * h * slope) < 1e-10)
      expectEqual(inside.forces, outside.forces, within: 1e-4)
    }
    for r in [potential.rMax, potential.rMax * 1.5] {
      #expect(try dimer(r).forces == [.zero, .zero])
      #expect(try dimer(r).virial.allSatisfy { $0 == 0 })
    }
  }

  /// An atom alone has the energy of its type, and nothing else.
  @Test(arguments: samples)
  func isolatedAtoms(_ sample: SamplePotential) throws {
    let evaluator = Evaluator(sample.potential, precision: .double)
    let cell = try Cell(orthogonal: [300, 300, 300])
    func atoms(_ types: [Int]) throws -> Evaluation {
      try evaluator.evaluate(
        Configuration(cell: cell, positions: types.indices.map { [20 * Double($0), 1, 299] }, types: types))
    }
    let alone = try (0..<3).map { try atoms([$0]).energy }
    let result = try atoms([2, 0, 1, 0])
    #expect(result.atomEnergies == [2, 0, 1, 0].map { alone[$0] })
    #expect(result.forces.allSatisfy { $0 == .zero } && result.virial.allSatisfy { $0 == 0 })
    if sample.potential.term(Network.self) == nil { #expect(alone == [0, 0, 0]) }
  }

  // MARK: Sums

  @Test(arguments: samples)
  func sumsAreConsistent(_ sample: SamplePotential) throws {
    let evaluator = Evaluator(sample.potential, precision: .double)
    let result = try evaluator.evaluate(SampleConfiguration.periodic())
    let tolerance = Self.rounding * max(1, result.largestForce)
    #expect(length(result.forces.reduce(.zero, +)) < tolerance)
    #expect(abs(result.atomEnergies.reduce(0, +) - result.energy) < tolerance)
    let atomVirials = (0..<6).map { k in result.atomVirials.reduce(0) { $0 + $1[k] } }
    expectEqual(atomVirials, result.virial, within: tolerance)
    // The sum is symmetric, because a turn of everything changes no energy.
    let centroidVirials = (0..<9).map { k in result.centroidVirials.reduce(0) { $0 + $1[k] } }
    expectEqual(centroidVirials, result.virial + result.virial[3...], within: tolerance)
    #expect(result.largestForce > 0.1, "forces must not vanish, or nothing is tested")
  }

  @Test(arguments: samples)
  func doubledCellsDoubleTheEnergy(_ sample: SamplePotential) throws {
    let evaluator = Evaluator(sample.potential, precision: .double)
    let one = try SampleConfiguration.periodic()
    let (a, b, c) = (one.cell.vectors[0], one.cell.vectors[1], one.cell.vectors[2])
    let two = Configuration(
      cell: try Cell(vectors: [a, 2 * b, c]), positions: one.positions + one.positions.map { $0 + b },
      types: one.types + one.types)
    let (single, double) = (try evaluator.evaluate(one), try evaluator.evaluate(two))
    let tolerance = Self.rounding * max(1, single.largestForce)
    #expect(abs(double.energy - 2 * single.energy) < tolerance)
    expectEqual(double.forces, single.forces + single.forces, within: tolerance)
    expectEqual(double.virial, single.virial.map { 2 * $0 }, within: 10 * tolerance)
  }

  // MARK: Derivatives

  @Test(arguments: samples, SampleConfiguration.cells.indices)
  func derivativesAreThoseOfTheEnergy(_ sample: SamplePotential, _ cell: Int) throws {
    let evaluator = Evaluator(sample.potential, precision: .double)
    let configuration = try SampleConfiguration.periodic(cell)
    try FiniteDifferences.checkForces(evaluator, configuration, directions: 1)
    try FiniteDifferences.checkVirial(evaluator, configuration)
  }

  /// W_j = -Σ_i (r_j - r_i) ⊗ dE_i/dr_j, where energies are of one layer: those of a pair term are shared by both
  /// ends, and the heat flux made from these is that of the atom energies.
  @Test(arguments: samples.filter { ($0.potential.term(Network.self)?.architecture.numLayers ?? 1) == 1 })
  func centroidVirialsAreThoseOfTheAtomEnergies(_ sample: SamplePotential) throws {
    let evaluator = Evaluator(sample.potential, precision: .double)
    let configuration = try SampleConfiguration.cluster()
    let x = configuration.positions
    let result = try evaluator.evaluate(configuration)
    let h = FiniteDifferences.step
    for j in x.indices {
      var expected = [Double](repeating: 0, count: 9)
      for b in 0..<3 {
        func energies(_ step: Double) throws -> [Double] {
          var moved = configuration
          moved.positions[j][b] += step
          return try evaluator.evaluate(moved).atomEnergies
        }
        let (up, down) = (try energies(h), try energies(-h))
        for i in x.indices {
          for a in 0..<3 {
            let element = [[0, 3, 4], [6, 1, 5], [7, 8, 2]][a][b]
            expected[element] -= (x[j] - x[i])[a] * (up[i] - down[i]) / (2 * h)
          }
        }
      }
      expectEqual(
        result.centroidVirials[j], expected, within: 10 * FiniteDifferences.tolerance * max(1, result.largestForce))
    }
  }

  // MARK: Single precision

  /// What runs in dynamics, with lanes of another width and tabulated radial networks, keeps to double precision.
  @Test(arguments: samples)
  func singlePrecisionFollows(_ sample: SamplePotential) throws {
    let configuration = try SampleConfiguration.periodic()
    let exact = try Evaluator(sample.potential, precision: .double).evaluate(configuration)
    let evaluator = Evaluator(sample.potential, precision: .single)
    let result = try evaluator.evaluate(configuration)
    let size = max(1, exact.largestForce)
    expectEqual(result.atomEnergies, exact.atomEnergies, within: 1e-5 * size)
    expectEqual(result.forces, exact.forces, within: 1e-5 * size)
    expectEqual(result.virial, exact.virial, within: 1e-4 * size)
    #expect(length(result.forces.reduce(.zero, +)) < 1e-11 * size)
    #expect(try evaluator.evaluate(configuration).forces == result.forces)
  }
}
