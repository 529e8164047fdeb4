import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// The options of every verb that reads frames.
package enum TrajectoryOptions {
  /// The options, for the syntax of a verb.
  package static let options: [Syntax.Option] = [
    .init(name: "--select", value: "NAMES", summary: "Keep these species alone, in this order of types: Li,Cl"),
    .init(
      name: "--frames", value: "START:STOP:STEP",
      summary: "Keep these frames, counted from 0 as in a Python slice: 0:500, ::10"),
    .init(
      name: "--types", value: "NAMES",
      summary: "Names of the types 1, 2, … of files that number them (LAMMPS dumps, numbers in XYZ): Li,Cl"),
    .init(
      name: "--units", value: "NAMES",
      summary: "Units of files that do not name theirs: a style of LAMMPS (real, electron, …), or those of lengths "
        + "and forces: nm,kJ/mol/nm (default: Å and eV/Å)"),
    .init(
      name: "--forces-name", value: "NAME",
      summary: "The column or array of forces, where it is not forces, force, fx fy fz, or F: REF_forces"),
  ]

  /// - Parameter keepsRepeats: whether frames that repeat earlier ones are kept, for a verb that reports on every
  ///   frame.
  package static func selection(_ arguments: Arguments, keepsRepeats: Bool = false) throws -> TrajectorySelection {
    do {
      var selection = try TrajectorySelection(
        species: arguments.list("--select"), typeNames: arguments.list("--types"),
        slice: arguments.text("--frames") ?? ":")
      selection.units = try arguments.list("--units").map { try FileUnits(names: $0) }
      selection.forcesName = arguments.text("--forces-name")
      selection.leavesOutRepeats = !keepsRepeats
      return selection
    } catch let error as DiffNNPError {
      throw UsageError(error.message)
    }
  }
}

extension Trajectory {
  /// - Throws: where all frames are the same, so that nothing can be learned from them or measured.
  package func requireDifferentFrames(path: String) throws {
    guard report.areAllAlike else { return }
    throw DiffNNPError(
      "\(path): all \(frames.count) frames are alike; expected different configurations of the system in equilibrium")
  }

  /// Reads frames, and prints the warnings about their file.
  /// - Parameters:
  ///   - verb: the verb whose name begins the lines.
  ///   - usesForces: whether the verb uses forces where frames have them.
  ///   - isFirst: whether warnings are printed; false where another process prints them.
  package static func read(
    path: String, _ selection: TrajectorySelection, for verb: any Command.Type, usesForces: Bool = false,
    isFirst: Bool = true
  ) throws -> Trajectory {
    let trajectory = try Trajectory.read(path: path, selection)
    var warnings = trajectory.report.warnings
    if usesForces, let name = trajectory.report.likelyForces.first {
      warnings.append("\(name) looks like forces, and is not read: --forces-name \(name) reads it")
    }
    for warning in isFirst ? warnings : [] {
      fputs("\(verb.syntax.name): warning: \(path): \(warning)\n", stderr)
    }
    return trajectory
  }
}
