import DiffNNP
import DiffNNPCommandLine
import DiffNNPFrames

/// The options of every verb that reads frames.
enum TrajectoryOptions {
  static let options: [Syntax.Option] = [
    .init(name: "--select", value: "NAMES", summary: "Keep these species alone, in this order of types: Li,Cl"),
    .init(
      name: "--frames", value: "START:STOP:STEP",
      summary: "Keep these frames, counted from 0 as in a Python slice: 0:500, ::10"),
    .init(name: "--types", value: "NAMES", summary: "Names of the numbered types 1, 2, … of a LAMMPS dump: Li,Cl"),
  ]

  static func selection(_ arguments: Arguments) throws -> TrajectorySelection {
    do {
      return try TrajectorySelection(
        species: arguments.list("--select"), typeNames: arguments.list("--types"),
        slice: arguments.text("--frames") ?? ":")
    } catch let error as DiffNNPError {
      throw UsageError(error.message)
    }
  }
}
