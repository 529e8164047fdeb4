import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPAnalysis

@Suite struct LAMMPSLogTests {
  private let text = """
    LAMMPS (29 Sep 2021 - Update 2)
    Reading data file ...
    Step Temp PotEng Press
           0          300   -1.5   10
         100    301.25   -1.5   10
    Loop time of 0.00117 on 1 procs for 100 steps with 2 atoms

    Performance: 29424.421 ns/day, 0.001 hours/ns, 85140.2 timesteps/s
    57.5% CPU use with 1 MPI tasks x 1 OpenMP threads
       1   2 3 4
    ERROR: Lost atoms: original 48 current 47 (src/thermo.cpp:438)
    Last command: run 100
    """

  @Test func findsVersionRowsSpeedAndError() {
    let log = LAMMPSLog(parsing: text)
    #expect(log.version == "29 Sep 2021 - Update 2")
    #expect(log.steps == [0, 100])
    #expect(log.temperatures == [300, 301.25])
    #expect(log.nanosecondsPerDay == 29424.421)
    #expect(log.error == "ERROR: Lost atoms: original 48 current 47 (src/thermo.cpp:438)")
  }

  /// Newer versions set headers and rows off by spaces.
  @Test func readsNewerFormat() {
    let log = LAMMPSLog(parsing: "LAMMPS (22 Jul 2025)\n   Step          Temp     \n         0   300      \n")
    #expect(log.version == "22 Jul 2025")
    #expect(log.temperatures == [300])
  }

  @Test func emptyLogSaysNothing() { #expect(LAMMPSLog(parsing: "").steps.isEmpty) }
}

@Suite struct AtomicMassTests {
  @Test(arguments: [("H", 1.008), ("Li", 6.94), ("Cl", 35.45), ("Au", 196.9666), ("U", 238.0289), ("Og", 294.214)])
  func agreesWithTables(_ symbol: String, _ mass: Double) { #expect(atomicMass(of: symbol) == mass) }

  @Test func beadsHaveNone() {
    #expect(atomicMass(of: "X") == nil)
    #expect(atomicMass(of: "bead") == nil)
  }
}

@Suite(.enabled(if: Subprocess.find("lmp") != nil, "needs LAMMPS")) struct LAMMPSRunTests {
  static let lennardJones = ["pair_style lj/cut 7.5", "pair_coeff * * 0.0104 3.4"]

  /// A short trajectory of a Lennard-Jones liquid, of argon near its triple point, in a triclinic cell.
  private func liquid(in directory: String) throws -> Trajectory {
    let cell = try Cell(vectors: [[0, 17, 0], [17, 0, 2], [-3, 1, 17]])
    let types = (0..<108).map { $0 % 2 }
    let atoms = Frame(cell: cell, positions: types.map { _ in .zero }, types: types).onLattice(seed: 4)
    let simulation = LAMMPSSimulation(
      start: atoms, typeNames: ["Ar", "Xx"], masses: [39.95, 39.95], potential: Self.lennardJones, temperature: 90,
      timestep: 4, steps: 20_000, dumpInterval: 200, seed: 7)
    try simulation.write(to: directory)
    let result = try Subprocess(
      Subprocess.find("lmp")!, ["-in", LAMMPSSimulation.inputName, "-screen", "none"], directory: directory
    ).run()
    try #require(result.status == 0, "\(result.error)")
    return try Trajectory.read(
      path: "\(directory)/\(LAMMPSSimulation.dumpName)",
      TrajectorySelection(species: ["Ar", "Xx"], start: 10))
  }

  private func settings(_ potential: [String], _ directory: String) -> Validation.Settings {
    var settings = Validation.Settings(
      launcher: Subprocess.find("lmp")!, potential: potential, directory: directory, temperature: 90,
      masses: [39.95, 39.95])
    settings.duration = 80
    settings.discarded = 8
    settings.interval = 0.4
    settings.rMax = 7
    settings.binWidth = 0.1
    return settings
  }

  /// The cell LAMMPS is given has the distances of the one turned into it.
  @Test func turningTheCellKeepsDistances() throws {
    try withTemporaryDirectory { directory in
      let cell = try Cell(vectors: [[0, 9, 0], [8, 1, 2], [-3, 1, 10]])
      var generator = SplitMix64(state: 3)
      let positions = (0..<20).map { _ in cell.cartesian(.random(in: -1..<2, using: &generator)) }
      let frame = Frame(cell: cell, positions: positions, types: positions.indices.map { $0 % 2 })
      let simulation = LAMMPSSimulation(
        start: frame, typeNames: ["A", "B"], masses: [1, 1], potential: ["pair_style zero 5.0", "pair_coeff * *"],
        temperature: 1, timestep: 1e-6, steps: 0, dumpInterval: 1, seed: 1)
      try simulation.write(to: directory)
      let result = try Subprocess(
        "lmp", ["-in", LAMMPSSimulation.inputName, "-screen", "none"], directory: directory
      ).run()
      try #require(result.status == 0, "\(result.error)")
      let turned = try Trajectory.read(path: "\(directory)/\(LAMMPSSimulation.dumpName)")
      let g = try RadialDistribution(Trajectory(typeNames: ["A", "B"], frames: [frame]), rMax: 8)
      let h = try RadialDistribution(turned, rMax: 8)
      #expect(turned.typeNames == ["A", "B"])
      for (a, b) in zip(g.counts!.smallestDistances, h.counts!.smallestDistances) {
        let difference: Double = a! - b!
        #expect(difference.magnitude < 1e-4)
      }
      for (a, b) in zip(g.counts!.pairs, h.counts!.pairs) {
        let (x, y): (Double, Double) = (a.reduce(0, +), b.reduce(0, +))
        #expect((x - y).magnitude < 1.5)  // positions in the dump are rounded
      }
    }
  }

  /// Grades by nearness alone: 1 for the smallest distances of the frames.
  private func nearness(_ frames: Trajectory) throws -> ExtrapolationGrade {
    let surroundings = try Surroundings(typeCount: 2, rMax: 6, intervals: 1)
    let closest = try #require(RadialDistribution(frames, rMax: 7).counts).smallestDistances.map { $0 ?? 6 }
    return try ExtrapolationGrade(
      surroundings, means: [0, 0, 0, 0], whitening: [Double](repeating: 0, count: 8), closest: closest)
  }

  /// A run that starts from a frame without a species has none, and says nothing of it.
  @Test func startsMayLackASpecies() throws {
    try withTemporaryDirectory { directory in
      let whole = try liquid(in: "\(directory)/frames")
      var frames = Array(whole.frames)
      let atoms = frames[0].types.indices.filter { frames[0].types[$0] == 0 }
      frames[0] = Frame(
        cell: frames[0].cell, positions: atoms.map { frames[0].positions[$0] }, types: atoms.map { _ in 0 })
      var short = settings(Self.lennardJones, "\(directory)/run")
      (short.duration, short.discarded) = (8, 1)
      let validation = try Validation(short, trajectory: Trajectory(typeNames: whole.typeNames, frames: frames))
      let simulated = try #require(validation.simulated)
      #expect(simulated.typeNames == whole.typeNames && simulated.counts?.framesWithPairs[1...] == [0, 0])
      #expect(try validation.comparisons().map(\.key) == ["ArAr"])
      try validation.writeReport(ValidationContext(model: "model", frames: "frames"))
    }
  }

  /// The potential that made the frames is found to be right; one with atoms a twelfth larger is found to be wrong.
  @Test func tellsRightFromWrong() throws {
    try withTemporaryDirectory { directory in
      let frames = try liquid(in: "\(directory)/frames")
      let context = ValidationContext(model: "model", frames: "frames")

      var right = settings(Self.lennardJones, "\(directory)/right")
      right.runs = 2
      right.lattice = true
      right.grade = try nearness(frames)
      let good = try Validation(right, trajectory: frames)
      #expect(good.runs.map(\.start) == ["frame 10", "frame 55", "a lattice"])
      #expect(good.stableTime == 80)
      for c in try good.comparisons() {
        let ratio: Double = c.error / c.expected!
        #expect(ratio < 2.5, "\(c.label)")
      }
      try good.writeReport(context)
      let json = try JSONValue(parsing: FileIO.read("\(directory)/right/report.json"))
      #expect(json["n_frames"]?.int == frames.frames.count)
      #expect(Set((json.object ?? []).map(\.key)) == Validation.names)
      #expect(json["rdf_mae"]?["ArXx"]?.double != nil)
      #expect(json["lammps_version"]?.string?.contains("20") == true)
      #expect(json["runs"]?.array?.count == 3)
      #expect(json["runs"]?.array?.allSatisfy { 0.8...1.8 ~= $0["largest_grade"]?.double ?? 0 } == true)
      #expect(try good.verdict().contains { $0.hasPrefix("Runs stayed within the training data") })
      let (angle, expected) = (json["angle_jsd"]?["Ar-Ar-Ar"]?.double, json["angle_jsd_expected"]?["Ar-Ar-Ar"]?.double)
      #expect(try #require(angle) < 6 * #require(expected))
      #expect(json["rdf_mae_noised_frames"]?["ArXx"] == .null)
      #expect(try RadialDistribution(csv: "\(directory)/right/rdf.csv", typeNames: ["Ar", "Xx"]).binCount == 70)
      if Subprocess.find("gnuplot") != nil {
        let html = String(decoding: try FileIO.read("\(directory)/right/report.html"), as: UTF8.self)
        #expect(html.contains("<svg") && html.contains("All 3 runs were stable") && html.contains("<h2>Angles"))
      }

      let wrong = settings(["pair_style lj/cut 7.5", "pair_coeff * * 0.0104 3.1"], "\(directory)/wrong")
      let bad = try Validation(wrong, trajectory: frames, reference: good.frames)
      for c in try bad.comparisons() {
        let ratio: Double = c.error / c.expected!
        #expect(ratio > 5, "\(c.label)")
        #expect(c.referenceError == c.error)
      }
      #expect(try bad.verdict().contains { $0.contains("differs from the frames'") })
    }
  }

  /// Attraction without a core: atoms fall into each other.
  @Test func noticesCollapse() throws {
    try withTemporaryDirectory { directory in
      let frames = try liquid(in: "\(directory)/frames")
      var hole = settings(
        ["pair_style gauss 7.5", "pair_coeff * * 1.0 1.0"], "\(directory)/hole")
      hole.grade = try nearness(frames)
      let validation = try Validation(hole, trajectory: frames)
      #expect(validation.runs[0].failure != nil)
      #expect(validation.stableTime < 80)
      #expect(try validation.verdict().contains { $0.hasPrefix("Runs left the training data") })
      #expect(try validation.verdict()[0].hasPrefix("The run from frame 10 failed after"))
    }
  }

  /// Where a potential belongs to noise, pairs are as close as noise brings them, which is no collapse.
  @Test func noiseIsNoCollapse() throws {
    try withTemporaryDirectory { directory in
      let frames = try liquid(in: "\(directory)/frames")
      var small = settings(["pair_style lj/cut 7.5", "pair_coeff * * 0.0104 2.0"], "\(directory)/small")
      #expect(try Validation(small, trajectory: frames).runs[0].failure?.contains("distance fell to") == true)
      small.sigma = 0.8
      let noisy = try Validation(small, trajectory: frames)
      #expect(noisy.runs[0].failure == nil)
      #expect(noisy.noised != nil)
    }
  }

  @Test func passesOnWhatLAMMPSSays() throws {
    try withTemporaryDirectory { directory in
      let frames = try liquid(in: "\(directory)/frames")
      expectError("Unrecognized pair style") {
        _ = try Validation(settings(["pair_style nonsense"], "\(directory)/bad"), trajectory: frames)
      }
      var never = settings(Self.lennardJones, "\(directory)/never")
      never.discarded = 100
      expectError("leave something to compare") { _ = try Validation(never, trajectory: frames) }
    }
  }
}
