import DiffNNP
import DiffNNPAnalysis
import DiffNNPCommandLine
import DiffNNPFrames
import DiffNNPTraining

/// `diffnnp evaluate MODEL FRAMES`.
enum EvaluateCommand: Command {
  static let syntax = Syntax(
    name: "evaluate", summary: "Compute energies (eV), forces (eV/Å) and extrapolation grades of frames.",
    operands: "MODEL FRAMES",
    operandCount: 2...2,
    options: [
      .init(
        name: "--output", short: "-o", value: "FILE",
        summary: "Write frames, energies, forces and grades as extended XYZ."),
      .init(name: "--precision", value: "KIND", summary: "Arithmetic of the network: single (default) or double."),
      .init(name: "--temperature", value: "K", summary: "Temperature of the frames; that of the training by default."),
      .init(name: "--sigma", value: "Å", summary: "Noise of the objective, 0.01 by default."),
      .init(
        name: "--draws", value: "N", summary: "Draws of noise for each frame, 1 by default; more make it less noisy."),
      .init(name: "--json", summary: "Print JSON: measures, energies, forces and grades."),
    ] + TrajectoryOptions.options,
    details: """
      FRAMES is extended XYZ or a LAMMPS text dump (both also as .gz), or NPZ with NequIP's keys. Where the frames carry
      forces, they are compared: force_rmse and force_rms (of the frames' forces, eV/Å), relative_force_error.

      With --json, numbers are the frames' in the file, counted from 0; energies, forces, grades and deviations are in their order.

      Where a temperature is known, the objective of denoising without noise, E[½|s|² + div s] with s = F/kT, is
      estimated with antithetic noise: objective (for an atom, 1/Å²) and its standard error objective_error, from blocks of
      time. It needs no forces. Of several models, the one with the smallest objective for frames that none was trained on
      has the forces closest to those behind the frames.

      The extrapolation grade of an atom says how far its surroundings are outside the data the model was trained on: less
      than 1 inside, 1 at the edge. largest_grade is that of all atoms, graded_outside the fraction of them above 1.

      With an ensemble, forces are those of its first member. The deviation of an atom (eV/Å) is the root mean square over the
      members of the difference of its force from the mean: largest_deviation, mean_deviation, and, where the frames carry
      forces, deviation_error_correlation, of the atoms' deviations with the errors of their forces.
      """)

  static func run(_ arguments: Arguments) throws {
    let (modelPath, framesPath) = (arguments.operands[0], arguments.operands[1])
    let precision = try arguments.choice("--precision", Precision.self) ?? .single
    let selection = try TrajectoryOptions.selection(arguments, keepsRepeats: true)
    try InputFile.check([modelPath, framesPath])
    if let output = arguments.text("--output") {
      try OutputFile.check(output, inputs: [modelPath, framesPath], mayStream: true)
    }
    let potential = try Potential.load(path: modelPath)
    let objective = try objective(arguments, potential)
    let trajectory = try Trajectory.read(path: framesPath, selection, for: Self.self, usesForces: true)
      .mapped(to: potential, path: framesPath)

    let calculators = potential.members.map { Calculator($0, precision) }
    let writer = try arguments.text("--output").map { try ExtendedXYZWriter(path: $0) }
    var measures = Measures(objective)
    // Nothing is printed before all frames are done.
    let printed: any EvaluationPrinter =
      arguments.flag("--json") ? JSONPrinter() : try TablePrinter(hasGrades: potential.grade != nil)
    for (k, frame) in trajectory.frames.enumerated() {
      try naming("\(framesPath): frame \(frame.number)") {
        let evaluated = try evaluate(frame, calculators)
        try measures.add(evaluated, k) { try calculators[0].compute($0).forces }
        try printed.add(evaluated)
        try writer?.write(
          evaluated.output, typeNames: trajectory.typeNames, energy: evaluated.result.energy,
          columns: evaluated.columns)
      }
    }
    try naming(framesPath) { try measures.requireUnits() }
    try writer?.commit()
    try printed.finish(frameCount: trajectory.frames.count, measures.members)
  }

  /// Computes a frame, and, with an ensemble, the root mean square deviation of each atom's forces from their mean over
  /// the members.
  private static func evaluate(_ frame: Frame, _ calculators: [Calculator]) throws -> Evaluation {
    let result = try calculators[0].compute(frame.configuration, grades: true)
    guard calculators.count > 1 else { return Evaluation(frame: frame, result: result, deviations: nil) }
    let forces = [result.forces] + (try calculators.dropFirst().map { try $0.compute(frame.configuration).forces })
    let count = Double(forces.count)
    let deviations = frame.positions.indices.map { i -> Double in
      let mean = forces.reduce(.zero) { $0 + $1[i] } / count
      return (forces.reduce(0) { $0 + dot($1[i] - mean, $1[i] - mean) } / count).squareRoot()
    }
    return Evaluation(frame: frame, result: result, deviations: deviations)
  }

  /// The held-out objective that the arguments ask for; nil where no temperature is known.
  private static func objective(_ arguments: Arguments, _ potential: Potential) throws -> HeldOutObjective? {
    let (sigma, draws) = (try arguments.number("--sigma"), try arguments.integer("--draws"))
    guard let temperature = try arguments.number("--temperature") ?? potential.metadata.temperature else {
      guard sigma == nil, draws == nil else {
        throw UsageError("there is no objective without a temperature, and the model has none: give --temperature")
      }
      return nil
    }
    return try HeldOutObjective(
      temperature: temperature, sigma: sigma ?? HeldOutObjective.defaultSigma, draws: draws ?? 1)
  }
}

/// The results for one frame.
private struct Evaluation {
  let frame: Frame
  let result: Calculator.Result
  /// Deviation of each atom's force in an ensemble (eV/Å); nil without one.
  let deviations: [Double]?

  /// The frame with the forces that were computed.
  var output: Frame {
    var frame = frame
    frame.forces = result.forces
    return frame
  }

  var columns: [(name: String, values: [Double])] {
    [("grade", result.grades), ("deviation", deviations)].compactMap { name, values in values.map { (name, $0) } }
  }
}

/// Sums over frames, and the measures that follow from them.
private struct Measures {
  private let objective: HeldOutObjective?
  /// The objective of each frame, for an atom, and its number of atoms.
  private var objectives: [Double] = []
  private var atomCounts: [Double] = []
  private var error = ForceError()
  private var grades = (largest: -Double.infinity, count: 0, outside: 0)
  private var deviations = (largest: -Double.infinity, count: 0, sum: 0.0)
  private var correlation = Correlation()

  init(_ objective: HeldOutObjective?) { self.objective = objective }

  /// - Throws: where the frames' forces cannot be compared with those of the model.
  func requireUnits() throws { try error.requireUnits() }

  /// - Parameter number: the number of the frame among those chosen, which seeds its noise.
  mutating func add(
    _ evaluated: Evaluation, _ number: Int, forces: (Configuration) throws -> [SIMD3<Double>]
  ) throws {
    let (frame, result) = (evaluated.frame, evaluated.result)
    if let given = frame.forces { error.add(result.forces, given: given) }
    for grade in result.grades ?? [] {
      grades = (max(grades.largest, grade), grades.count + 1, grades.outside + (grade > 1 ? 1 : 0))
    }
    for (i, deviation) in (evaluated.deviations ?? []).enumerated() {
      deviations = (max(deviations.largest, deviation), deviations.count + 1, deviations.sum + deviation)
      if let given = frame.forces { correlation.add(deviation, length(result.forces[i] - given[i])) }
    }
    if let objective {
      objectives.append(try objective.estimate(frame.configuration, frame: number, forces: forces))
      atomCounts.append(Double(frame.positions.count))
    }
  }

  /// The measures for which there are data, by name.
  var members: [JSONValue.Member] {
    var members: [JSONValue.Member] = []
    func add(_ name: String, _ value: Double) { members.append(.init(name, .number(value))) }
    if !error.isEmpty {
      add("force_rmse", error.rmse)
      add("force_rms", error.rms)
      add("relative_force_error", error.relative)
    }
    if grades.count > 0 {
      add("largest_grade", grades.largest)
      add("graded_outside", Double(grades.outside) / Double(grades.count))
    }
    if deviations.count > 0 {
      add("largest_deviation", deviations.largest)
      add("mean_deviation", deviations.sum / Double(deviations.count))
      if let r = correlation.value { add("deviation_error_correlation", r) }
    }
    if !objectives.isEmpty {
      let (mean, error) = BlockStatistics.mean(objectives, weights: atomCounts)
      add("objective", mean)
      add("objective_error", error)
    }
    return members
  }
}

/// Pearson's correlation coefficient of pairs of numbers that are added one by one (Welford, Technometrics 4, 419
/// (1962)).
private struct Correlation {
  private var count = 0.0
  private var mean = SIMD2<Double>.zero
  private var squares = SIMD2<Double>.zero
  private var products = 0.0

  mutating func add(_ x: Double, _ y: Double) {
    count += 1
    let before = SIMD2(x, y) - mean
    mean += before / count
    let after = SIMD2(x, y) - mean
    squares += before * after
    products += before.x * after.y
  }

  /// Nil where it is not defined.
  var value: Double? {
    let r = products / (squares.x * squares.y).squareRoot()
    return r.isFinite ? r : nil
  }
}

// MARK: - Output

private protocol EvaluationPrinter {
  func add(_ evaluated: Evaluation) throws
  /// Prints everything that was added, and the measures.
  func finish(frameCount: Int, _ measures: [JSONValue.Member]) throws
}

private struct TablePrinter: EvaluationPrinter {
  private let text = SpooledText()

  init(hasGrades: Bool) throws {
    try text.write("frame  energy [eV]  largest force [eV/Å]" + (hasGrades ? "  largest grade" : "") + "\n")
  }

  func add(_ evaluated: Evaluation) throws {
    let result = evaluated.result
    let grade = result.grades?.max().map { "  \($0)" } ?? ""
    try text.write(
      "\(evaluated.frame.number)  \(result.energy)  \(result.forces.map(length).max() ?? 0)\(grade)\n")
  }

  func finish(frameCount: Int, _ measures: [JSONValue.Member]) throws {
    for measure in measures { try text.write("\(measure.key)  \(measure.value.serialised())\n") }
    try text.print()
  }
}

/// An object whose arrays have an element for each frame.
private final class JSONPrinter: EvaluationPrinter {
  private var arrays: [(key: String, text: SpooledText)] = []

  func add(_ evaluated: Evaluation) throws {
    let result = evaluated.result
    try append("numbers", JSONValue(evaluated.frame.number))
    try append("energies", .number(result.energy))
    try append("forces", .array(result.forces.map { JSONValue([$0.x, $0.y, $0.z]) }))
    if let grades = result.grades { try append("grades", JSONValue(grades)) }
    if let deviations = evaluated.deviations { try append("deviations", JSONValue(deviations)) }
  }

  private func append(_ key: String, _ element: JSONValue) throws {
    let text: SpooledText
    if let there = arrays.first(where: { $0.key == key }) {
      text = there.text
      try text.write(",\n    ")
    } else {
      text = SpooledText()
      arrays.append((key, text))
    }
    try text.write(element.serialised())
  }

  func finish(frameCount: Int, _ measures: [JSONValue.Member]) throws {
    let head = JSONValue.object([.init("frames", JSONValue(frameCount))] + measures).serialised(pretty: true)
    print(head.dropLast(2), terminator: "")
    for (key, text) in arrays {
      print(",\n  \"\(key)\": [\n    ", terminator: "")
      try text.print()
      print("\n  ]", terminator: "")
    }
    print("\n}")
  }
}

extension Trajectory {
  /// The trajectory with the numbering of types of a potential.
  /// - Throws: where the potential does not know a species.
  func mapped(to potential: Potential, path: String) throws -> Trajectory {
    let types = try typeNames.map { name in
      guard let type = potential.typeNames.firstIndex(of: name) else {
        let known = potential.typeNames.joined(separator: " ")
        let advice =
          Int(name) != nil
          ? "name the file's numbered types with --types" : "choose species the model knows with --select"
        throw DiffNNPError("\(path): species \(name) is unknown to the model, which has the types \(known); \(advice)")
      }
      return type
    }
    guard types != Array(potential.typeNames.indices) else { return self }
    return Trajectory(typeNames: potential.typeNames, frames: frames.renumbered(types))
  }
}
