import DiffNNP
import DiffNNPFrames

/// The state that a refinement by likelihood carries from step to step. Random numbers follow from the seed and the
/// step.
struct LikelihoodState: Equatable, Sendable {
  var step = 0
  /// Coefficients of pairs without walls and of triplets, and their mean over the second half of the steps.
  var coefficients: [Double]
  var averageCoefficients: [Double]
  /// Parameters of the network; empty without one.
  var parameters: [Double]
  var optimiser: Adam
  /// Running mean over steps of the functions' sums in a chain.
  var averageMean: [Double]
  /// Sums of all functions in each chain over the steps in which chains only ran [chain][function].
  var chainSums: [[Double]]
  /// Frames that the chains started from: cell and types are theirs.
  var starts: [Int]
  var chains: [LangevinChain]
  var restarts = 0

  init(coefficients: [Double], parameters: [Double], starts: [Int], chains: [LangevinChain]) {
    (self.coefficients, averageCoefficients) = (coefficients, coefficients)
    self.parameters = parameters
    optimiser = Adam(parameters)
    averageMean = Array(repeating: 0, count: coefficients.count)
    chainSums = Array(repeating: averageMean, count: chains.count)
    self.starts = starts
    self.chains = chains
  }

  /// Moves the parameters of the network by one step of the optimiser.
  mutating func update(gradient: [Double], learningRate: Double, averaging: Double) {
    optimiser.update(&parameters, gradient: gradient, learningRate: learningRate, averaging: averaging)
  }

  // MARK: Checkpoints

  private static let prefix = "refinement."

  /// Adds the state to a checkpoint.
  /// - Parameters:
  ///   - identity: names the settings; only a refinement with the same settings may continue.
  ///   - start: names the potential that is refined; only a refinement of the same potential may continue.
  func add(to file: inout SafetensorsFile, identity: String, start: String) {
    func add(_ name: String, _ values: [Double]) {
      file.tensors.append(NamedTensor(name: Self.prefix + name, shape: [values.count], values: values))
    }
    file.metadata[Self.prefix + "identity"] = identity
    file.metadata[Self.prefix + "start"] = start
    file.metadata[Self.prefix + "step"] = "\(step)"
    file.metadata[Self.prefix + "corrections"] = "\(optimiser.step)"
    file.metadata[Self.prefix + "restarts"] = "\(restarts)"
    add("parameters", parameters)
    add("first_moment", optimiser.firstMoment)
    add("second_moment", optimiser.secondMoment)
    add("average", optimiser.average)
    add("usual_norm", [optimiser.usualNorm])
    add("coefficients", coefficients)
    add("average_coefficients", averageCoefficients)
    add("average_mean", averageMean)
    add("starts", starts.map(Double.init))
    for (k, chain) in chains.enumerated() {
      add("positions.\(k)", chain.positions.flatMap { [$0.x, $0.y, $0.z] })
      add("functions.\(k)", chainSums[k])
      add("velocities.\(k)", chain.velocities.flatMap { [$0.x, $0.y, $0.z] })
    }
  }

  /// Whether a checkpoint was written during the refinement.
  /// - Throws: where it was, but with other settings.
  static func isCheckpoint(_ file: SafetensorsFile, identity: String) throws -> Bool {
    guard let found = file.metadata[prefix + "identity"] else { return false }
    guard found == identity else {
      throw DiffNNPError("its refinement by likelihood had other settings; train without --resume to start anew")
    }
    return true
  }

  /// Continues from a checkpoint that was written during the refinement.
  /// - Parameter frames: those of the data; chains that started in one have its size.
  /// - Throws: where something is missing, or the refinement started from another potential.
  mutating func restore(_ file: SafetensorsFile, frames: Frames, start: String) throws {
    guard file.metadata[Self.prefix + "start"] == start else {
      throw DiffNNPError("it belongs to a run with other settings or frames; train without --resume to start anew")
    }
    func damaged(_ what: String) -> DiffNNPError {
      DiffNNPError("its \(what) is missing or of another size; train without --resume to start anew")
    }
    func values(_ name: String, _ count: Int) throws -> [Double] {
      guard let tensor = file.tensors.first(where: { $0.name == Self.prefix + name }), tensor.values.count == count
      else {
        throw damaged("tensor \(Self.prefix + name)")
      }
      return tensor.values
    }
    func vectors(_ name: String, _ count: Int) throws -> [SIMD3<Double>] {
      let x = try values(name, 3 * count)
      return (0..<count).map { [x[3 * $0], x[3 * $0 + 1], x[3 * $0 + 2]] }
    }
    func number(_ name: String) throws -> Int {
      guard let n = file.metadata[Self.prefix + name].flatMap({ Int($0) }), TrainingState.sensibleSteps ~= n else {
        throw damaged(name)
      }
      return n
    }
    (step, restarts) = (try number("step"), try number("restarts"))
    let count = parameters.count
    parameters = try values("parameters", count)
    optimiser = try Adam(
      step: number("corrections"), firstMoment: values("first_moment", count),
      secondMoment: values("second_moment", count),
      average: values("average", count), usualNorm: values("usual_norm", 1)[0])
    coefficients = try values("coefficients", coefficients.count)
    averageCoefficients = try values("average_coefficients", coefficients.count)
    averageMean = try values("average_mean", coefficients.count)
    starts = try values("starts", starts.count).map {
      guard let start = Int(exactly: $0), frames.indices.contains(start) else { throw damaged("tensor starts") }
      return start
    }
    for k in chains.indices {
      chainSums[k] = try values("functions.\(k)", chainSums[k].count)
      let atoms = frames.atomCount(at: starts[k])
      chains[k].positions = try vectors("positions.\(k)", atoms)
      chains[k].velocities = try vectors("velocities.\(k)", atoms)
    }
  }
}
