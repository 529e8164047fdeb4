import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct TripletFitTests {
  static let triplets = try! TripletBasis(
    typeCount: 2, rMax: 3.4, intervals: 5, first: 1, lMax: 3,
    floor: DistanceFloor(typeCount: 2, distances: [1.5, 2, 1.8], width: 0.6))
  static let model = LinearModel(PairBasis(typeCount: 2, rMax: 4, intervals: 8), triplets)

  /// Ten atoms of two types in a cell of 7 Å.
  private func sample(seed: UInt64 = 1) throws -> Configuration {
    var random = Philox(seed: seed, purpose: .network, frame: 0)
    var positions: [SIMD3<Double>] = []
    while positions.count < 10 {
      let x = 7 * SIMD3(random.uniform(), random.uniform(), random.uniform())
      if positions.allSatisfy({ length($0 - x) > 1 }) { positions.append(x) }
    }
    return Configuration(
      cell: try Cell(orthogonal: [7, 7, 7]), positions: positions, types: positions.indices.map { $0 % 2 })
  }

  private func coefficients(seed: UInt64 = 2) -> [Double] {
    var random = Philox(seed: seed, purpose: .network, frame: 0)
    return (0..<Self.model.count).map { _ in random.uniform() - 0.5 }
  }

  private func potential(_ c: [Double]) throws -> Potential {
    try Potential(typeNames: ["A", "B"], energyScale: 1, terms: Self.model.terms(c))
  }

  /// Cells of several atoms: one in which each pair meets once, smaller ones in which atoms are neighbours of each other, and
  /// of themselves, through two images and more, and a skewed one.
  private func cells() throws -> [Configuration] {
    func atoms(_ count: Int, _ cell: Cell) -> Configuration {
      var random = Philox(seed: 5, purpose: .network, frame: 0)
      let positions = (0..<count).map { _ in
        cell.cartesian([random.uniform(), random.uniform(), random.uniform()])
      }
      return Configuration(cell: cell, positions: positions, types: positions.indices.map { $0 % 2 })
    }
    return [
      try sample(), atoms(8, try Cell(orthogonal: [5, 5, 5])), atoms(4, try Cell(orthogonal: [3.3, 3.3, 3.3])),
      atoms(4, try Cell(vectors: [[4, 0, 0], [1.3, 3.4, 0], [-0.9, 1.1, 3.1]])),
    ]
  }

  /// Each atom twice, so that what a first move leaves behind would show.
  @Test func valuesGiveTheEnergyOfAMove() throws {
    let c = coefficients()
    let calculator = Calculator(try potential(c), .double)
    for configuration in try cells() {
      let evaluator = LinearModelEvaluator(Self.model, reach: 4)
      try evaluator.begin(configuration)
      let before = try calculator.compute(configuration).energy
      for (i, move) in [(0, SIMD3(0.3, -0.2, 0.4)), (3, [2.1, 0.4, -1.7]), (1, [0, 0, 0.01]), (0, [0.3, -0.2, 0.4])] {
        func energy(at displacement: SIMD3<Double>) -> Double {
          var row = Array(repeating: 0.0, count: Self.model.count)
          row.withUnsafeMutableBufferPointer { _ = evaluator.put(i, displacement, into: $0.baseAddress!) }
          return zip(c, row).reduce(0) { $0 + $1.0 * $1.1 }
        }
        evaluator.remove(i)
        evaluator.gather(about: i, within: dot(move, move).squareRoot())
        let found = energy(at: move) - energy(at: .zero)
        evaluator.restore(i)
        var moved = configuration
        moved.positions[i] += move
        let expected = try calculator.compute(moved).energy - before
        #expect(
          abs(found - expected) < 1e-10 * max(1, abs(expected)),
          "atom \(i) in a cell of \(configuration.cell.volume) Å³")
      }
    }
  }

  @Test func gradientsGiveForces() throws {
    let c = coefficients()
    for configuration in try cells() + [sample(seed: 3)] {
      let forces = try Calculator(try potential(c), .double).compute(configuration).forces
      let evaluator = LinearModelEvaluator(Self.model)
      try evaluator.begin(configuration)
      var rows = Array(repeating: 0.0, count: 3 * Self.model.count)
      for i in configuration.positions.indices {
        rows.withUnsafeMutableBufferPointer { _ = evaluator.gradients(of: i, into: $0.baseAddress!) }
        for axis in 0..<3 {
          let row = rows[axis * Self.model.count..<(axis + 1) * Self.model.count]
          let found = -zip(c, row).reduce(0) { $0 + $1.0 * $1.1 }
          #expect(abs(found - forces[i][axis]) < 1e-10 * max(1, abs(forces[i][axis])))
        }
      }
    }
  }

  /// With more choices than the Hessian is summed over.
  @Test func slopesOfTheLikelihoodAreThoseOfItsValues() throws {
    let frames = try (UInt64(1)...1000).map { seed -> Frame in
      let configuration = try sample(seed: seed)
      return Frame(cell: configuration.cell, positions: configuration.positions, types: configuration.types)
    }
    let likelihood = PseudoLikelihood(
      model: Self.model, frames: Frames(frames), blocks: try TimeBlocks(frameCount: 1000, blockCount: 2),
      moves: [AtomMove(smallestDistances: [0, 0, 0], typeCount: 2)], seed: 1, threads: 2)
    let c = coefficients().map { 0.1 * $0 }
    let direction = coefficients(seed: 3)
    func expansions(_ step: Double) throws -> [Expansion] {
      try likelihood.expansions(about: zip(c, direction).map { $0 + step * $1 }, .full)
    }
    let step = 1e-3
    let (down, here, up) = (try expansions(-step), try expansions(0), try expansions(step))
    for block in here.indices {
      let (form, value) = (here[block].form, here[block].value)
      #expect(abs(form.value(c) + here[block].constant - value) < 1e-9 * abs(value))
      let slope = zip(direction, zip(form.product(c), form.vector)).reduce(0) { $0 + $1.0 * ($1.1.0 - $1.1.1) }
      let expected = (up[block].value - down[block].value) / (2 * step)
      #expect(abs(slope - expected) < 1e-4 * abs(expected))
      let curvature = zip(direction, form.product(direction)).reduce(0) { $0 + $1.0 * $1.1 }
      let bent = (up[block].value + down[block].value - 2 * value) / (step * step)
      // Of some 6000 choices, which differ by as much as they are.
      #expect(abs(curvature - bent) < 0.05 * bent, "\(curvature) against \(bent)")
    }
  }

  @Test func sumsOfSquaresAreThoseOfRows() {
    var random = Philox(seed: 4, purpose: .network, frame: 0)
    let (count, rows) = (37, 150)
    let sum = SymmetricSum(count)
    var expected = Array(repeating: 0.0, count: count * count)
    let mean = (0..<count).map { _ in random.uniform() }
    for _ in 0..<rows {
      let x = (0..<count).map { _ in random.uniform() - 0.5 }
      x.withUnsafeBufferPointer { x in
        mean.withUnsafeBufferPointer { sum.add(x.baseAddress!, minus: $0.baseAddress!, factor: 0.7) }
      }
      for i in 0..<count {
        for j in 0..<count { expected[i * count + j] += 0.49 * (x[i] - mean[i]) * (x[j] - mean[j]) }
      }
    }
    for (a, b) in zip(sum.result(), expected) { #expect(abs(a - b) < 1e-11 * Double(rows)) }
  }

  // MARK: Fits

  /// kT. Atoms repel each other, and neighbours of one atom like to be on opposite sides of it.
  private static func repulsion(_ r: Double) -> Double { r < 3.5 ? 6 * (3.5 - r) * (3.5 - r) / (r * r) : 0 }
  private static func reach(_ r: Double) -> Double { r < 3.2 ? (3.2 - r) * (3.2 - r) : 0 }

  private func energy(_ x: [SIMD3<Double>], edge: Double) -> Double {
    var sum = 0.0
    for i in x.indices {
      var near: [(r: Double, unit: SIMD3<Double>)] = []
      for j in x.indices where j != i {
        var d = x[j] - x[i]
        d -= edge * (d / edge).rounded(.toNearestOrEven)
        let r = length(d)
        if j > i { sum += Self.repulsion(r) }
        if r < 3.2 { near.append((r, d / r)) }
      }
      for a in near.indices {
        for b in near.indices where b > a {
          let cosine = dot(near[a].unit, near[b].unit)
          sum += 3 * Self.reach(near[a].r) * Self.reach(near[b].r) * cosine
        }
      }
    }
    return sum
  }

  /// Frames by Metropolis' method, with forces (eV/Å at 300 K) by differences.
  private func trajectory(_ count: Int, seed: UInt64) throws -> Trajectory {
    let edge = 8.0
    let atoms = 27
    let cell = try Cell(orthogonal: [edge, edge, edge])
    var random = Philox(seed: seed, purpose: .network, frame: 0)
    var x = (0..<atoms).map { k -> SIMD3<Double> in
      let site = SIMD3(Double(k % 3), Double(k / 3 % 3), Double(k / 9))
      return (edge / 3) * site
    }
    var now = energy(x, edge: edge)
    var frames: [Frame] = []
    for sweep in 0..<(count + 10) * 5 {
      for i in 0..<atoms {
        let old = x[i]
        x[i] += 0.7 * random.inBall()
        let new = energy(x, edge: edge)
        if random.uniform() < exp(now - new) { now = new } else { x[i] = old }
      }
      guard sweep >= 50, sweep % 5 == 0 else { continue }
      var frame = Frame(cell: cell, positions: x.map { cell.wrapped($0) }, types: x.map { _ in 0 })
      frame.forces = x.indices.map { i in
        var force = SIMD3<Double>.zero
        for axis in 0..<3 {
          var (up, down) = (x, x)
          up[i][axis] += 1e-4
          down[i][axis] -= 1e-4
          force[axis] = (energy(down, edge: edge) - energy(up, edge: edge)) / 2e-4
        }
        return force * (boltzmannConstant * 300)
      }
      frames.append(frame)
    }
    return Trajectory(typeNames: ["A"], frames: frames)
  }

  /// Root mean square error of forces over that of the forces.
  private func forceError(_ fit: LinearFit.Result, _ test: Trajectory) throws -> Double {
    let potential = try Potential(
      typeNames: ["A"], energyScale: boltzmannConstant * 300, terms: fit.terms())
    let calculator = Calculator(potential, .double)
    var (error, square) = (0.0, 0.0)
    for frame in test.frames {
      for (a, b) in zip(try calculator.compute(frame.configuration).forces, frame.forces!) {
        error += dot(a - b, a - b)
        square += dot(b, b)
      }
    }
    return (error / square).squareRoot()
  }

  @Test(arguments: TrainingObjective.allCases)
  func findsWhatPairsCannotSay(_ objective: TrainingObjective) throws {
    let (training, test) = (try trajectory(120, seed: 1), try trajectory(10, seed: 2))
    var settings = Samples.settings(rMax: 4, spacing: 0.1)
    settings.objective = objective
    let pairs = try forceError(LinearFit(settings, temperature: 300).run(training), test)
    settings.triplets = TripletSettings()
    settings.triplets?.rMax = 3.4
    let whole = try LinearFit(settings, temperature: 300).run(training)
    let found = try forceError(whole, test)
    // What frames without labels leave is due to their number; labels without noise leave what the splines cannot say.
    #expect(found < (objective == .denoising ? 0.7 : 0.5) * pairs, "\(found) against \(pairs)")
    // Both parts of the prior are chosen with triplets in place, whatever was best for pairs alone.
    let chosen = try #require(whole.chosen.last)
    let rivals = whole.candidates.filter { $0.priors.count == 2 && $0.priors[1] == chosen.priors[1] }
    #expect(Set(rivals.map(\.priors[0])).count == SmoothnessPrior.strengths.count)
    #expect(chosen.heldOut == rivals.map(\.heldOut).min())
    #expect(whole.triplets?.basis.floor.distances == whole.wallDistances)
  }

  /// Priors are judged by an expansion of the likelihood, which says little far from where it was made. About the coefficients
  /// that were found, the prior that was chosen has to be as good as any, and the coefficients those of its minimum: of all
  /// choices, not only of those on the way. On ions, whose wells are deep, and few frames, where that once went wrong.
  @Test func isTheMinimumOfItsObjectiveWithTheBestPrior() throws {
    let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
    let training = try Trajectory.read(
      path: root + "/examples/licl/figures/data/licl-aa.npz",
      TrajectorySelection(species: ["Li", "Cl"], typeNames: nil, slice: "19:4000:20"))
    var settings = FitSettings()
    (settings.seed, settings.threads) = (3, 2)
    let fit = try LinearFit(settings, temperature: 300).run(training)
    let likelihood = PseudoLikelihood(
      model: fit.model, frames: training.frames, blocks: fit.blocks,
      moves: [AtomMove(smallestDistances: fit.wallDistances, typeCount: 2)], seed: 3, threads: 2)
    let c = fit.coefficients
    let forms = try likelihood.expansions(about: c, .full).map(\.form)
    let chosen = try #require(fit.chosen.last).priors
    /// The minimiser for the blocks but one, or for all.
    func minimiser(_ priors: [Double], without block: Int? = nil) throws -> (c: [Double], form: QuadraticForm) {
      let blocks = forms.indices.filter { $0 != block }
      var form = QuadraticForm.sum(blocks.map { forms[$0] })
      let frames = blocks.reduce(0) { $0 + fit.blocks.ranges[$1].count }
      fit.model.addPriors(priors, to: &form, atomCount: Double(frames * training.frames[0].positions.count))
      return (try form.minimiser(), form)
    }
    let (best, form) = try minimiser(chosen)
    let gain = form.value(c) - form.value(best)
    #expect(gain < 0.05 * Double(fit.model.count), "\(gain) could be gained")

    func heldOut(_ priors: [Double]) throws -> Double {
      try forms.indices.reduce(0) { $0 + forms[$1].value(try minimiser(priors, without: $1).c) }
    }
    let others = fit.model.features.enumerated().flatMap { k, family in
      family.priorCandidates.map { value in
        var priors = chosen
        priors[k] = value
        return priors
      }
    }
    let regret = try heldOut(chosen) - others.map(heldOut).min()!
    #expect(regret < 0.05 * Double(fit.model.count), "another prior is better by \(regret)")
  }

  /// What a network in training adds to is what it will be run with.
  @Test func scoresUnderTrainingAreThoseOfThePotential() throws {
    let (configuration, base) = (try sample(seed: 6), try potential(coefficients(seed: 7)))
    let architecture = NetworkArchitecture(
      typeNames: ["A", "B"], rMax: 3, numLayers: 2, lMax: 1, numFeatures: 3, numBasis: 4, invariantLayers: 1,
      invariantNeurons: 4, avgNumNeighbors: 5)
    var random = Philox(seed: 8, purpose: .network, frame: 0)
    let parameters = try TrainableNetwork.randomParameters(architecture, readout: 1, using: &random)
    let network = try TrainableNetwork(architecture)
    network.set(parameters)
    var scores: [SIMD3<Double>] = []
    try TrainableScore(network).evaluate(configuration, bases: [base], into: &scores)
    let whole = try Potential(
      typeNames: ["A", "B"], energyScale: 1,
      terms: [base.term(PairTerm.self), base.term(TripletTerm.self), Network(architecture, parameters: parameters)])
    let forces = try Calculator(whole, .double).compute(configuration).forces
    let size = forces.map(length).max()!
    for (a, b) in zip(scores, forces) { #expect(length(a - b) < 1e-5 * size, "\(a) against \(b)") }
  }

  @Test func doesNotDependOnThreads() throws {
    let training = try trajectory(10, seed: 5)
    var settings = FitSettings()
    settings.pairs.rMax = 4
    let fits = try [1, 3].map { threads in
      settings.threads = threads
      return try LinearFit(settings, temperature: 300).run(training)
    }
    #expect(fits[0].triplets == fits[1].triplets)
    #expect(fits[0].coefficients == fits[1].coefficients)
  }
}
