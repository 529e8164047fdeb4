import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// Runs a potential in LAMMPS and compares the structure it makes with that of given frames.
public struct Validation: Sendable {
  /// Settings of the runs and of the comparison.
  public struct Settings: Sendable {
    /// Path of the LAMMPS program.
    public var launcher: String
    /// `pair_style` and `pair_coeff` commands.
    public var potential: [String]
    /// Directory of all files.
    public var directory: String
    /// Temperature (K).
    public var temperature: Double
    /// Mass of each type (g/mol).
    public var masses: [Double]
    /// Timestep (fs).
    public var timestep = 4.0
    /// Damping time of the thermostat (ps).
    public var damping = 0.5
    /// Length of each run (ps).
    public var duration = 1000.0
    /// Time between frames of a run (ps).
    public var interval = 1.0
    /// Time at the beginning of each run that is not counted (ps).
    public var discarded = 50.0
    /// Number of independent runs, started from frames at equal distances.
    public var runs = 1
    /// Whether there is one run more, from a lattice of atoms in random order.
    public var lattice = false
    /// Seed of velocities, thermostat and lattice.
    public var seed = 1
    /// Largest distance of g(r) that is compared (Å).
    public var rMax = 10.0
    /// Width of the bins of g(r) (Å).
    public var binWidth = 0.05
    /// Largest distance of the neighbours that form the angles compared (Å); nil takes the first minimum of the frames'
    /// g(r).
    public var angleRadius: Double?
    /// The noise level that the potential belongs to (Å): runs with it are compared with frames with this noise.
    public var sigma = 0.0
    /// The potential's extrapolation grade; nil where it has none.
    public var grade: ExtrapolationGrade?

    /// Settings of one run of 1000 ps, with defaults for all that is not given.
    public init(launcher: String, potential: [String], directory: String, temperature: Double, masses: [Double]) {
      self.launcher = launcher
      self.potential = potential
      self.directory = directory
      self.temperature = temperature
      self.masses = masses
    }
  }

  /// One run with its results.
  public struct Run: Sendable {
    /// The start of the run: "frame 0", counted as in the file, or "a lattice".
    public let start: String
    /// LAMMPS's log of the run.
    public let log: LAMMPSLog
    /// Time until something failed, or until the end (ps).
    public let stableTime: Double
    /// The reason of the failure; nil where nothing failed.
    public let failure: String?
    /// Mean temperature after the discarded time (K) and its standard error.
    public let temperature: (mean: Double, error: Double)
    /// Extrapolation grades of the atoms of all frames up to a failure; nil where the potential has none.
    public let grades: GradeSummary?
    /// Frames after the discarded time and before a failure.
    public let frames: Trajectory
  }

  /// Settings of the runs.
  public let settings: Settings
  /// The runs, in order of their starts.
  public let runs: [Run]
  /// g(r) of the given frames.
  public let frames: RadialDistribution
  /// g(r) of all runs together; nil where no run lasted long enough.
  public let simulated: RadialDistribution?
  /// A further g(r) that both are compared with, say from a longer run; nil for none.
  public let reference: RadialDistribution?
  /// g(r) of the frames with the noise that the potential belongs to; nil where that is none.
  public let noised: RadialDistribution?
  /// Angles of frames and runs; nil where g(r) has no first minimum, or no run lasted.
  public let angles: AngleComparison?
}

// MARK: - Running

extension Validation {
  /// Runs LAMMPS, and compares the structures.
  /// - Parameters:
  ///   - settings: what to run.
  ///   - trajectory: the frames to start from and to compare with.
  ///   - reference: a g(r) to compare with besides.
  ///   - progress: told in words what happens.
  /// - Throws: where LAMMPS cannot start, or does not get as far as its first step.
  public init(
    _ settings: Settings, trajectory: Trajectory, reference: RadialDistribution? = nil,
    progress: (String) -> Void = { _ in }
  ) throws {
    try settings.check()
    if let lonely = trajectory.frames.indices.first(where: { trajectory.frames.atomCount(at: $0) < 2 }) {
      throw DiffNNPError(
        "frame \(trajectory.frames[lonely].number) has one atom alone; there is no structure to compare")
    }
    let frames = try RadialDistribution(trajectory, rMax: settings.rMax, binWidth: settings.binWidth)
    let noised =
      settings.sigma > 0
      ? try RadialDistribution(
        trajectory.noised(sigma: settings.sigma, seed: UInt64(settings.seed)), count: trajectory.frames.count,
        typeNames: trajectory.typeNames, rMax: settings.rMax, binWidth: settings.binWidth) : nil
    let simulations = try settings.simulations(trajectory)
    let directories = simulations.indices.map { "\(settings.directory)/run-\($0 + 1)" }
    for (simulation, directory) in zip(simulations, directories) { try simulation.system.write(to: directory) }

    let atOnce = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    var runs: [Run] = []
    for first in stride(from: 0, to: simulations.count, by: atOnce) {
      let batch = first..<min(first + atOnce, simulations.count)
      for k in batch {
        progress("LAMMPS run \(k + 1) of \(simulations.count): \(settings.duration) ps from \(simulations[k].start)")
      }
      let running = try batch.map { try settings.command(in: directories[$0]).start() }
      for (k, process) in zip(batch, running) {
        runs.append(
          try Run(
            process.wait(), simulations[k].start, directory: directories[k], settings: settings,
            expected: noised ?? frames))
      }
    }
    let whole = runs.map(\.frames).filter { !$0.frames.isEmpty }
    self.settings = settings
    self.runs = runs
    self.frames = frames
    self.reference = reference
    simulated =
      whole.isEmpty ? nil : try RadialDistribution(whole, rMax: settings.rMax, binWidth: settings.binWidth)
    self.noised = noised
    let shells = frames.pairs.compactMap { frames.firstShell($0)?.minimum.r }
    angles = try (settings.angleRadius ?? shells.max()).flatMap { radius in
      whole.isEmpty ? nil : try AngleComparison(whole, trajectory, radius: radius)
    }
  }
}

extension Validation.Settings {
  /// Checks whether runs can be made with these settings.
  /// - Throws: where a run cannot be made so.
  public func check() throws {
    try Temperature.check(temperature)
    for (name, value) in [
      ("timestep", timestep), ("damping time", damping), ("duration", duration), ("interval between frames", interval),
    ] where !(value.isFinite && value > 0) {
      throw DiffNNPError("the \(name) of a run is \(value); give a positive number")
    }
    guard duration * 1000 / timestep <= Self.mostSteps else {
      throw DiffNNPError(
        "\(duration) ps are too many steps of \(timestep) fs; expected at most \(Int(Self.mostSteps)) steps")
    }
    if let angleRadius, !(angleRadius.isFinite && angleRadius > 0) {
      throw DiffNNPError("angles between neighbours closer than \(angleRadius) Å: expected a positive distance")
    }
    guard interval <= duration else {
      throw DiffNNPError("frames \(interval) ps apart in a run of \(duration) ps; give a shorter interval")
    }
    guard discarded >= 0, discarded < duration else {
      throw DiffNNPError("\(discarded) ps of a run of \(duration) ps are discarded; leave something to compare")
    }
    guard 0...Self.mostRuns ~= runs, runs > 0 || lattice else {
      throw DiffNNPError("\(runs) runs asked for; expected 1 to \(Self.mostRuns), or a run from a lattice alone")
    }
    guard Self.seeds ~= seed else {
      throw DiffNNPError("the seed is \(seed); LAMMPS takes \(Self.seeds.lowerBound) to \(Self.seeds.upperBound)")
    }
  }

  private static let mostSteps = 1e12
  private static let mostRuns = 1000
  /// Seeds that are accepted: those of LAMMPS's generators end at 900 000 000, and each run has its own.
  private static let seeds = 1...800_000_000

  /// Steps between frames, and the time they take (ps): `interval` as whole steps.
  var dumpInterval: Int { max(1, Int((interval * 1000 / timestep).rounded())) }
  var dumpTime: Double { Double(dumpInterval) * timestep / 1000 }

  fileprivate func command(in directory: String) -> Subprocess {
    Subprocess(
      launcher,
      ["-in", LAMMPSSimulation.inputName, "-log", LAMMPSSimulation.logName, "-screen", "none"], directory: directory)
  }

  /// The runs and where they start.
  fileprivate func simulations(_ trajectory: Trajectory) throws -> [(start: String, system: LAMMPSSimulation)] {
    let count = trajectory.frames.count
    var starts = (0..<runs).map { k in
      let frame = trajectory.frames[k * count / runs]
      return (start: "frame \(frame.number)", frame: frame)
    }
    if lattice { starts.append(("a lattice", trajectory.frames[0].onLattice(seed: seed))) }
    return starts.enumerated().map { k, start in
      let system = LAMMPSSimulation(
        start: start.frame, typeNames: trajectory.typeNames, masses: masses, potential: potential,
        temperature: temperature, timestep: timestep, damping: damping,
        steps: Int((duration * 1000 / timestep).rounded(.up)), dumpInterval: dumpInterval, seed: seed + k)
      return (start.start, system)
    }
  }
}

extension Frame {
  /// The frame with its atoms on the points of a lattice as even as the cell allows, types in random order.
  func onLattice(seed: Int) -> Frame {
    let heights = cell.heights
    let spacing = cbrt(cell.volume / Double(positions.count))
    var counts = SIMD3<Int>(repeating: 1)
    for k in 0..<3 { counts[k] = max(1, Int((heights[k] / spacing).rounded())) }
    while counts.x * counts.y * counts.z < positions.count {
      // One more row where rows are furthest apart.
      let k = (0..<3).max { heights[$0] / Double(counts[$0]) < heights[$1] / Double(counts[$1]) }!
      counts[k] += 1
    }
    var random = Philox(seed: UInt64(seed), purpose: .lattice, frame: 0)
    var frame = self
    frame.forces = nil
    let points = (0..<counts.x * counts.y * counts.z).shuffled(using: &random)
    for i in positions.indices {
      let p = points[i]
      let s = SIMD3(Double(p % counts.x), Double(p / counts.x % counts.y), Double(p / (counts.x * counts.y)))
      frame.positions[i] = cell.cartesian(s / SIMD3(Double(counts.x), Double(counts.y), Double(counts.z)))
    }
    return frame
  }
}
