import DiffNNP
import DiffNNPCommandLine
import DiffNNPTraining

/// The machine measured on.
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

/// All that was measured.
struct Report {
  var runs: [ForceBenchmark.Result] = []
  var training: [TrainingBenchmark.Result] = []
  var machine: Machine

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
      "microseconds_per_atom": json(run.step),
      "neighbour_search_microseconds_per_atom": json(run.neighbourSearch),
      "neighbours_per_atom": .number(run.neighboursPerAtom),
    ]
  }

  private func json(_ times: Quartiles) -> JSONValue {
    ["median": .number(times.median), "lower": .number(times.lower), "upper": .number(times.upper)]
  }

  /// Columns of text.
  var table: String {
    var rows = [["model", "atoms", "precision", "µs/atom", "quartiles", "search µs/atom", "neighbours/atom"]]
    rows += runs.map { run in
      [
        run.model, "\(run.atoms)", run.precision.rawValue, rounded(run.step.median), range(run.step),
        rounded(run.neighbourSearch.median), rounded(run.neighboursPerAtom),
      ]
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    var lines = [machine.processor]
    lines += rows.map { row in zip(row, widths).map { $0.padded(to: $1) }.joined(separator: "  ") }
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
