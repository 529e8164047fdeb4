import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// A Langevin run of one frame in LAMMPS, as the files that define it. Units: `metal` (Å, ps, eV, K, g/mol).
public struct LAMMPSSimulation: Sendable {
  /// The frame that the run starts from; its cell is kept.
  public var start: Frame
  /// Names of the atom types, which are chemical symbols where they are elements.
  public var typeNames: [String]
  /// Mass of each type (g/mol).
  public var masses: [Double]
  /// The commands that define the potential, `pair_style` and `pair_coeff`.
  public var potential: [String]
  /// Temperature (K).
  public var temperature: Double
  /// Timestep (fs).
  public var timestep: Double
  /// Damping time of the thermostat (ps).
  public var damping: Double
  /// Number of steps of the run.
  public var steps: Int
  /// Steps between frames written.
  public var dumpInterval: Int
  /// Seed of velocities and thermostat.
  public var seed: Int

  /// A run of `steps` steps with the given settings.
  public init(
    start: Frame, typeNames: [String], masses: [Double], potential: [String], temperature: Double, timestep: Double,
    damping: Double = 0.5, steps: Int, dumpInterval: Int, seed: Int
  ) {
    self.start = start
    self.typeNames = typeNames
    self.masses = masses
    self.potential = potential
    self.temperature = temperature
    self.timestep = timestep
    self.damping = damping
    self.steps = steps
    self.dumpInterval = dumpInterval
    self.seed = seed
  }

  // MARK: Names of the files of a run in its directory

  /// Name of the input file.
  public static let inputName = "in.lammps"
  /// Name of the data file that the run starts from.
  public static let dataName = "start.data"
  /// Name of the log.
  public static let logName = "log.lammps"
  /// Name of the dump of frames.
  public static let dumpName = "trajectory.lammpstrj"

  /// Writes the input and the data file into a directory, which is made where it is missing. What an earlier run left
  /// there is removed, so that it is not taken for the result of the next.
  /// - Throws: where the directory or a file cannot be made, or an old file cannot be removed.
  public func write(to directory: String) throws {
    try makeDirectory(directory)
    for name in [Self.logName, Self.dumpName] where unlink("\(directory)/\(name)") != 0 && errno != ENOENT {
      throw DiffNNPError("\(directory)/\(name): \(systemError())")
    }
    try FileIO.write(data.utf8, to: "\(directory)/\(Self.dataName)")
    try FileIO.write(input.utf8, to: "\(directory)/\(Self.inputName)")
  }

  /// The input file.
  ///
  /// Random forces are left as they are: made to sum to zero, they would heat light atoms and cool heavy ones. So the
  /// centre of mass moves, and all 3N degrees of freedom are counted.
  public var input: String {
    """
    units           metal
    atom_style      atomic
    boundary        p p p
    \(isTriclinic ? "box             tilt large\n" : "")read_data       \(Self.dataName)

    \(potential.joined(separator: "\n"))

    neigh_modify    every 1 delay 0 check yes
    velocity        all create \(temperature) \(seed) dist gaussian
    fix             integrate all nve
    fix             thermostat all langevin \(temperature) \(temperature) \(damping) \(seed)
    compute_modify  thermo_temp extra/dof 0
    timestep        \(timestep / 1000)

    thermo_style    custom step temp pe press
    thermo          \(dumpInterval)
    dump            frames all custom \(dumpInterval) \(Self.dumpName) id type element x y z
    dump_modify     frames sort id element \(typeNames.joined(separator: " "))
    run             \(steps)

    """
  }

  /// The data file. LAMMPS wants the first cell vector along x and the second in the xy plane, so that all coordinates
  /// are rotated.
  public var data: String {
    let cell = start.cell
    let (a, b, c) = turnedCell
    var text = """
      \(start.positions.count) atoms of \(typeNames.joined(separator: ", "))

      \(start.positions.count) atoms
      \(typeNames.count) atom types

      0 \(a.x.significant(12)) xlo xhi
      0 \(b.y.significant(12)) ylo yhi
      0 \(c.z.significant(12)) zlo zhi
      \(isTriclinic ? "\(b.x.significant(12)) \(c.x.significant(12)) \(c.y.significant(12)) xy xz yz\n" : "")
      Masses


      """
    for (t, mass) in masses.enumerated() { text += "\(t + 1) \(mass)  # \(typeNames[t])\n" }
    text += "\nAtoms  # atomic\n\n"
    for (i, x) in start.positions.enumerated() {
      var s = cell.fractional(x)
      s -= s.rounded(.down)
      let y = s.x * a + s.y * b + s.z * c
      text += "\(i + 1) \(start.types[i] + 1) \(y.x.significant(12)) \(y.y.significant(12)) \(y.z.significant(12))\n"
    }
    return text
  }

  private var isTriclinic: Bool {
    let (_, b, c) = turnedCell
    return max(abs(b.x), abs(c.x), abs(c.y)) > 1e-9 * b.y
  }

  /// The cell with the same lengths and angles, a along x and b in the xy plane.
  private var turnedCell: (SIMD3<Double>, SIMD3<Double>, SIMD3<Double>) {
    let (a, b, c) = (start.cell.vectors[0], start.cell.vectors[1], start.cell.vectors[2])
    let ax = length(a)
    let bx = dot(a, b) / ax
    let by = length(cross(a, b)) / ax
    let cx = dot(a, c) / ax
    let cy = (dot(b, c) - bx * cx) / by
    let cz = start.cell.volume / (ax * by)
    return ([ax, 0, 0], [bx, by, 0], [cx, cy, cz])
  }
}
