import DiffNNP
import DiffNNPCommandLine
import DiffNNPTraining

/// The machine on which the measurements are made.
struct Machine {
  /// The processor's name, as the system tells it.
  let processor: String
  let processors = Parallel.processorCount

  init() {
    let text = (try? FileIO.read("/proc/cpuinfo")).map { String(decoding: $0, as: UTF8.self) } ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
    let name = line?.split(separator: ":", maxSplits: 1).last?.drop { $0 == " " }
    processor = name.map(String.init) ?? "unknown"
  }
}

/// All measurements.
struct Report {
  var runs: [ForceBenchmark.Result] = []
  var training: [TrainingBenchmark.Result] = []
  var machine: Machine
  var limits: MachineLimits

  var json: JSONValue {
    var members: [JSONValue.Member] = [
      .init("microseconds_per_atom", runs.first.map { .number($0.step.median) } ?? .null),
      .init("runs", .array(runs.map(json))),
    ]
    if !training.isEmpty { members.append(.init("training", .array(training.map(json)))) }
    members += [
      .init(
        "machine",
        [
          "processor": .string(machine.processor), "processors": JSONValue(machine.processors),
          "version": .string("\(diffnnpVersion)"),
          "peak_gigaflops": ["single": .number(limits.single), "double": .number(limits.double)],
          "peak_gigaflops_of_all_processors": .number(limits.singleTogether),
          "peak_gigabytes_per_second": .number(limits.bandwidth),
        ])
    ]
    return .object(members)
  }

  private func json(_ training: TrainingBenchmark.Result) -> JSONValue {
    let rate = training.framesPerSecond
    return [
      "model": .string(training.model), "atoms": JSONValue(training.atoms),
      "frames_per_second": .number(rate.median), "lower": .number(rate.lower), "upper": .number(rate.upper),
    ]
  }

  private func json(_ run: ForceBenchmark.Result) -> JSONValue {
    [
      "model": .string(run.model), "atoms": JSONValue(run.atoms), "precision": .string(run.precision.rawValue),
      "threads": JSONValue(run.threads), "microseconds_per_atom": json(run.step),
      "neighbour_search_microseconds_per_atom": json(run.neighbourSearch),
      "neighbours_per_atom": .number(run.neighboursPerAtom),
      "stages_microseconds_per_atom": .object(run.stages.map { .init($0.stage.name, .number($0.time)) }),
      "operations_per_atom": .number(run.operations), "gigaflops": .number(run.rate),
      "fraction_of_peak": .number(fraction(run)),
      "memory_per_atom": ["edges": .number(run.edgeBytes), "evaluator": .number(run.evaluatorBytes)],
      "allocations_per_step": .number(run.allocations),
    ]
  }

  /// The speed of a run as a fraction of the machine's highest.
  private func fraction(_ run: ForceBenchmark.Result) -> Double {
    run.rate / (run.precision == .single ? limits.single : limits.double)
  }

  private func json(_ times: Quartiles) -> JSONValue {
    ["median": .number(times.median), "lower": .number(times.lower), "upper": .number(times.upper)]
  }

  /// The measurements as columns of text.
  var table: String {
    var rows = [
      [
        "model", "atoms", "precision", "threads", "µs/atom", "quartiles", "search µs/atom", "neighbours/atom",
        "of peak",
        "KB/atom", "allocations",
      ]
    ]
    rows += runs.map { run in
      [
        run.model, "\(run.atoms)", run.precision.rawValue, "\(run.threads)", rounded(run.step.median), range(run.step),
        rounded(run.neighbourSearch.median), rounded(run.neighboursPerAtom),
        "\(Int((100 * fraction(run)).rounded())) %",
        rounded(1e-3 * (run.edgeBytes + run.evaluatorBytes)), "\(Int(run.allocations))",
      ]
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    var lines = [
      "\(machine.processor); one core at most: \(rounded(limits.single)) GFLOP/s in single, \(rounded(limits.double)) "
        + "in double precision, \(rounded(limits.bandwidth)) GB/s; \(limits.processors) processors at once: "
        + "\(rounded(limits.singleTogether)) GFLOP/s in single"
    ]
    lines += rows.map { row in zip(row, widths).map { $0.padded(to: $1) }.joined(separator: "  ") }
    for run in runs {
      let stages = run.stages.map { "\($0.stage.name) \(rounded($0.time))" }.joined(separator: ", ")
      lines.append("\(run.model), \(run.atoms) atoms, \(run.precision): \(stages)")
    }
    for training in training {
      let rate = training.framesPerSecond
      lines.append(
        "training \(training.model): \(rounded(rate.median)) frames/s (\(range(rate))), \(training.atoms) atoms in a frame"
      )
    }
    return lines.joined(separator: "\n")
  }

  private func range(_ quartiles: Quartiles) -> String { "\(rounded(quartiles.lower))…\(rounded(quartiles.upper))" }

  private func rounded(_ x: Double) -> String { "\((100 * x).rounded() / 100)" }
}
