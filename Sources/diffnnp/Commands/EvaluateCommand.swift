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

      Where a temperature is known, the objective of denoising without noise, E[½|s|² + div s] with s = F/kT, is
      estimated with antithetic noise: objective (for an atom, 1/Å²) and its standard error objective_error, from blocks of
      time. It needs no forces. Of several models, the one with the smallest objective for frames that none was trained on
      has the forces closest to those behind the frames.

      The extrapolation grade of an atom says how far its surroundings are outside the data the model was trained on: less
      than 1 inside, 1 at the edge. largest_grade is that of all atoms, graded_outside the part of them above 1.

      With an ensemble, forces are those of its first member. The deviation of an atom (eV/Å) is the root mean square over the
      members of the difference of its force from the mean: largest_deviation, mean_deviation, and, where the frames carry
      forces, deviation_error_correlation, of the atoms' deviations with the errors of their forces.
      """)

  static func run(_ arguments: Arguments) throws {
    let (modelPath, framesPath) = (arguments.operands[0], arguments.operands[1])
    let precision = try arguments.choice("--precision", Precision.self) ?? .single
    let selection = try TrajectoryOptions.selection(arguments, keepsRepeats: true)
    if let output = arguments.text("--output") {
      try OutputFile.check(output, inputs: [modelPath, framesPath], mayStream: true)
    }
    let potential = try Potential.load(path: modelPath)
    let objective = try objective(arguments, potential)
    let trajectory = try Trajectory.read(path: framesPath, selection, for: Self.self, usesForces: true)
      .mapped(to: potential, path: framesPath)

    let calculators = potential.members.map { Calculator($0, precision) }
    let calculator = calculators[0]
    let evaluated = try trajectory.frames.map { frame in
      try naming("\(framesPath): frame \(frame.number)") { try evaluate(frame, calculators) }
    }
    let results = evaluated.map(\.result)
    let deviations = evaluated.compactMap(\.deviations)
    var measures = forceErrors(results, trajectory.frames) + grades(results)
    measures += deviationMeasures(deviations, results, trajectory.frames)
    if let objective { measures += try estimate(objective, trajectory.frames, calculator) }
    if let output = arguments.text("--output") { try write(results, deviations, trajectory, to: output) }
    if arguments.flag("--json") {
      print(json(results, deviations, measures).serialised(pretty: true))
    } else {
      printTable(results, trajectory.frames, measures)
    }
  }

  /// Computes a frame, and, with an ensemble, the root mean square deviation of each atom's forces from their mean over the
  /// members.
  private static func evaluate(
    _ frame: Frame, _ calculators: [Calculator]
  ) throws -> (result: Calculator.Result, deviations: [Double]?) {
    let result = try calculators[0].compute(frame.configuration, grades: true)
    guard calculators.count > 1 else { return (result, nil) }
    let forces = [result.forces] + (try calculators.dropFirst().map { try $0.compute(frame.configuration).forces })
    let count = Double(forces.count)
    let deviations = frame.positions.indices.map { i -> Double in
      let mean = forces.reduce(.zero) { $0 + $1[i] } / count
      return (forces.reduce(0) { $0 + dot($1[i] - mean, $1[i] - mean) } / count).squareRoot()
    }
    return (result, deviations)
  }

  // MARK: Measures

  /// Nil where no temperature is known.
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

  private static func estimate(
    _ objective: HeldOutObjective, _ frames: Frames, _ calculator: Calculator
  ) throws -> [JSONValue.Member] {
    let series = try frames.enumerated().map { k, frame in
      try objective.estimate(frame.configuration, frame: k) { try calculator.compute($0).forces }
    }
    let (mean, error) = BlockStatistics.mean(series)
    return [.init("objective", .number(mean)), .init("objective_error", .number(error))]
  }

  /// Root mean squares over all components of all frames that carry forces; empty where none does.
  private static func forceErrors(_ results: [Calculator.Result], _ frames: Frames) -> [JSONValue.Member] {
    var error = ForceError()
    for (result, frame) in zip(results, frames) {
      if let forces = frame.forces { error.add(result.forces, given: forces) }
    }
    guard !error.isEmpty else { return [] }
    return [
      .init("force_rmse", .number(error.rmse)), .init("force_rms", .number(error.rms)),
      .init("relative_force_error", .number(error.relative)),
    ]
  }

  /// Empty where the model has none.
  private static func grades(_ results: [Calculator.Result]) -> [JSONValue.Member] {
    let grades = results.compactMap(\.grades).flatMap { $0 }
    guard let largest = grades.max() else { return [] }
    let outside = Double(grades.count { $0 > 1 }) / Double(grades.count)
    return [.init("largest_grade", .number(largest)), .init("graded_outside", .number(outside))]
  }

  /// Empty without an ensemble.
  private static func deviationMeasures(
    _ deviations: [[Double]], _ results: [Calculator.Result], _ frames: Frames
  ) -> [JSONValue.Member] {
    let all = deviations.flatMap { $0 }
    guard let largest = all.max() else { return [] }
    var measures = [
      JSONValue.Member("largest_deviation", .number(largest)),
      .init("mean_deviation", .number(all.reduce(0, +) / Double(all.count))),
    ]
    var (x, y): ([Double], [Double]) = ([], [])
    for (deviations, (result, frame)) in zip(deviations, zip(results, frames)) {
      guard let forces = frame.forces else { continue }
      x += deviations
      y += zip(result.forces, forces).map { length($0 - $1) }
    }
    if let r = correlation(x, y) { measures.append(.init("deviation_error_correlation", .number(r))) }
    return measures
  }

  /// Pearson's correlation; nil where it is not defined.
  private static func correlation(_ x: [Double], _ y: [Double]) -> Double? {
    let n = Double(x.count)
    let (meanX, meanY) = (x.reduce(0, +) / n, y.reduce(0, +) / n)
    let (dx, dy) = (x.map { $0 - meanX }, y.map { $0 - meanY })
    let r =
      zip(dx, dy).reduce(0) { $0 + $1.0 * $1.1 }
      / (dx.reduce(0) { $0 + $1 * $1 } * dy.reduce(0) { $0 + $1 * $1 }).squareRoot()
    return r.isFinite ? r : nil
  }

  private static func write(
    _ results: [Calculator.Result], _ deviations: [[Double]], _ trajectory: Trajectory, to path: String
  ) throws {
    let writer = try ExtendedXYZWriter(path: path)
    for (k, (result, frame)) in zip(results, trajectory.frames).enumerated() {
      var frame = frame
      frame.forces = result.forces
      try writer.write(
        frame, typeNames: trajectory.typeNames, energy: result.energy,
        columns: columns(result, deviations.isEmpty ? nil : deviations[k]))
    }
    try writer.commit()
  }

  private static func columns(
    _ result: Calculator.Result, _ deviations: [Double]?
  ) -> [(name: String, values: [Double])] {
    [("grade", result.grades), ("deviation", deviations)].compactMap { name, values in values.map { (name, $0) } }
  }

  private static func json(
    _ results: [Calculator.Result], _ deviations: [[Double]], _ measures: [JSONValue.Member]
  ) -> JSONValue {
    let grades = results.compactMap(\.grades)
    return .object(
      [.init("frames", JSONValue(results.count))] + measures + [
        .init("energies", JSONValue(results.map(\.energy))),
        .init("forces", .array(results.map { .array($0.forces.map { JSONValue([$0.x, $0.y, $0.z]) }) })),
      ]
        + [("grades", grades), ("deviations", deviations)].filter { !$0.1.isEmpty }.map { name, values in
          .init(name, .array(values.map { JSONValue($0) }))
        })
  }

  private static func printTable(_ results: [Calculator.Result], _ frames: Frames, _ measures: [JSONValue.Member]) {
    let hasGrades = results.contains { $0.grades != nil }
    print("frame  energy [eV]  largest force [eV/Å]" + (hasGrades ? "  largest grade" : ""))
    for (result, frame) in zip(results, frames) {
      let grade = result.grades?.max().map { "  \($0)" } ?? ""
      print("\(frame.number)  \(result.energy)  \(result.forces.map(length).max() ?? 0)\(grade)")
    }
    for measure in measures { print("\(measure.key)  \(measure.value.serialised())") }
  }
}

extension Trajectory {
  /// The same frames with the types of a potential.
  /// - Throws: where it does not know a species.
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
