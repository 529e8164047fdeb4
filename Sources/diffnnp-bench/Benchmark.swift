import DiffNNP
import DiffNNPCommandLine
import DiffNNPTraining

/// The program: what to measure, and how to show it.
enum Benchmark {
  static let syntax = Syntax(
    program: nil, name: "diffnnp-bench", summary: "Measure the speed of forces, and of training.",
    operands: "", operandCount: 0...0,
    options: [
      .init(
        name: "--sizes", value: "N,N,…", summary: "Numbers of atoms, up to 1000000 (default \(list(defaultSizes)))."),
      .init(name: "--precision", value: "KINDS", summary: "single, double, or both (default single,double)."),
      .init(
        name: "--model", value: "NAMES", summary: "Potentials below, or weight files (default published,water)."),
      .init(name: "--threads", value: "N,N,…", summary: "Numbers of threads (default 1)."),
      .init(name: "--neighbours", value: "N", summary: "Neighbours of an atom within the cutoff (12.5 for a file)."),
      .init(name: "--seconds", value: "T", summary: "Time for each measurement (default 1)."),
      .init(name: "--forces", summary: "Measure forces alone, not training."),
      .init(name: "--quick", summary: "One short measurement of each kind, to try them; the numbers mean little."),
      .init(name: "--json", summary: "Print JSON."),
      .init(
        name: "--save", value: "FOLDER",
        summary: "Write the potentials below as weight files, NAME.safetensors, and measure nothing."),
    ],
    details: """
      Potentials that have a name. Their weights are random, which makes no difference to speed.

        licl       what training makes of LiCl by default: pairs up to 12 Å, triplets up to 6.5 Å; 21.5 neighbours
        liquid     the same of water, one bead for each molecule: pairs up to 10.2 Å, triplets up to 7.53 Å; 147 neighbours
        published  the architecture of the published LiCl model: 2 layers, features 8x0e+8x1e, edges 1x0e+1x1e,
                   r_max 10 Å; 12.5 neighbours
        water      the default network, for one type: 3 layers, 16 features of each l up to 2, r_max 5 Å; 17.5 neighbours
        large      the same with 32 features

      A step computes the energy and all forces from the list of neighbours; finding the neighbours is measured by itself.
      Atoms are placed at random, no two very close, and numbered along the cell, as molecular dynamics codes sort them.
      Training is steps with one frame of 48 atoms each: forces and gradient of the loss at two noised copies (antithetic
      noise), the gradient put together, weights renewed.

      Each measurement is repeated until its time is over; shown are the median, and the quartiles as lower and upper.
      Times are those of the processor, so that other programs disturb little; with several threads, those of the clock.
      Keys of the JSON:

        microseconds_per_atom   median of the first run: by default "published", 3072 atoms, in single precision
        runs                    list of all networks, precisions and sizes, with the keys
          model, atoms, precision, threads, neighbours_per_atom
          microseconds_per_atom                   {median, lower, upper}: energy and forces, for an atom and a step
          neighbour_search_microseconds_per_atom  {median, lower, upper}
          stages_microseconds_per_atom            mean of each stage: geometry of edges, messages (radial tables and
                                                  tensor products), features (linear maps, activations, readout), both
                                                  on the way back
          operations_per_atom                     floating-point operations of tables, products and linear maps
          gigaflops                               these operations over the median time
          fraction_of_peak                        the same over what the machine's loop reaches
          memory_per_atom                         bytes {edges, evaluator}
          allocations_per_step                    after the first step
        training                list of all networks; missing where the model has none
          model, atoms, lower, upper
          frames_per_second     median
        machine                 {processor, processors, version}, and of one core what loops of nothing else reach:
                                peak_gigaflops {single, double}, peak_gigabytes_per_second (reading memory)
      """)

  static let defaultSizes = [3072, 384, 48]
  private static let largestSize = 1_000_000
  /// Most edges of a configuration, so that they fit into memory.
  private static let mostEdges = 1e8

  static func run(_ words: [String]) throws {
    let arguments = try Arguments(words, syntax)
    guard !arguments.flag("--help") else { return print(syntax.helpPage, terminator: "") }
    if let folder = arguments.text("--save") {
      for name in BenchmarkModel.names {
        try BenchmarkModel(name, neighbours: nil).potential.save(path: "\(folder)/\(name).safetensors")
      }
      return
    }
    let report = try measure(arguments)
    print(arguments.flag("--json") ? report.json.serialised(pretty: true) : report.table)
  }

  private static func measure(_ arguments: Arguments) throws -> Report {
    let quick = arguments.flag("--quick")
    let neighbours = try arguments.number("--neighbours")
    if let neighbours, !(neighbours > 0 && neighbours <= 1000) {
      throw UsageError("--neighbours is \(neighbours); expected a positive number, 1000 at most")
    }
    let names = arguments.list("--model") ?? ["published", "water"]
    let models = try names.map { try BenchmarkModel($0, neighbours: neighbours) }
    let time = try arguments.number("--seconds") ?? (quick ? 0 : 1)
    guard time >= 0 else { throw UsageError("--seconds is \(time); expected 0 or more") }
    let sizes = try sizes(arguments) ?? (quick ? [48] : defaultSizes)
    let most = models.map { $0.neighbours }.max() ?? 0
    guard Double(sizes.max() ?? 0) * most <= mostEdges else {
      throw UsageError("\(sizes.max() ?? 0) atoms of \(most) neighbours each are too many; choose fewer of either")
    }
    let stopwatch = Stopwatch(seconds: time, fewest: quick ? 2 : 5)

    var report = Report(machine: Machine(), limits: MachineLimits(quick: quick))
    for model in models {
      for precision in try precisions(arguments) {
        for atoms in sizes {
          for threads in try threads(arguments) {
            let benchmark = try ForceBenchmark(model, precision, atoms: atoms, threads: threads)
            report.runs.append(try benchmark.run(stopwatch))
          }
        }
      }
    }
    for model in models where !arguments.flag("--forces") {
      if let benchmark = try TrainingBenchmark(model) { report.training.append(try benchmark.run(stopwatch)) }
    }
    return report
  }

  private static func sizes(_ arguments: Arguments) throws -> [Int]? {
    try arguments.list("--sizes")?.map { text in
      guard let size = Int(text), (2...largestSize).contains(size) else {
        throw UsageError("--sizes has \"\(text)\"; expected whole numbers from 2 to \(largestSize)")
      }
      return size
    }
  }

  private static func threads(_ arguments: Arguments) throws -> [Int] {
    try arguments.list("--threads")?.map { text in
      guard let threads = Int(text), (1...1024).contains(threads) else {
        throw UsageError("--threads has \"\(text)\"; expected whole numbers from 1 to 1024")
      }
      return threads
    } ?? [1]
  }

  private static func precisions(_ arguments: Arguments) throws -> [Precision] {
    try arguments.list("--precision")?.map { text in
      guard let precision = Precision(rawValue: text) else {
        throw UsageError("--precision has \"\(text)\"; expected single, double, or single,double")
      }
      return precision
    } ?? Precision.allCases
  }

  private static func list(_ sizes: [Int]) -> String { sizes.map(String.init).joined(separator: ",") }
}
