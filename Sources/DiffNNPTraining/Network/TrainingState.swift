import DiffNNP

/// The state that a network's training carries from step to step. Noise and the order of frames follow from the seed
/// and the step, so that a run continued from here ends as one that was never interrupted.
struct TrainingState: Equatable, Sendable {
  var parameters: ConditionedParameters
  var optimiser: Adam
  /// The averaged parameters of the best validation, its step, and its held-out objective.
  var best: [Double]
  var bestStep = 0
  var bestHeldOut = Double.infinity
  /// Sum and number of the steps' objectives since the last validation.
  var losses = SIMD2<Double>.zero

  init(_ parameters: ConditionedParameters) {
    self.parameters = parameters
    optimiser = Adam(parameters.values)
    best = parameters.values
  }

  /// Moves the parameters by one step of the optimiser.
  mutating func update(gradient: [Double], learningRate: Double, averaging: Double) {
    optimiser.update(&parameters.values, gradient: gradient, learningRate: learningRate, averaging: averaging)
  }

  // MARK: Checkpoints

  private static let format = "diffnnp-checkpoint"
  /// Numbers of steps that are accepted from a checkpoint.
  static let sensibleSteps = 0...1 << 40

  /// The state as a safetensors file; numbers keep all their digits.
  /// - Parameter identity: names the run; only a run of the same identity may continue.
  func file(identity: String) -> SafetensorsFile {
    func tensor(_ name: String, _ values: [Double]) -> NamedTensor {
      NamedTensor(name: name, shape: [values.count], values: values)
    }
    // The best objective may be infinite, which tensors must not be, so that it is stored as text.
    return SafetensorsFile(
      metadata: [
        "format": Self.format, "identity": identity, "step": "\(optimiser.step)", "best_step": "\(bestStep)",
        "best_held_out": "\(bestHeldOut)",
      ],
      tensors: [
        tensor("parameters", parameters.values), tensor("first_moment", optimiser.firstMoment),
        tensor("second_moment", optimiser.secondMoment), tensor("average", optimiser.average), tensor("best", best),
        tensor("usual_norm", [optimiser.usualNorm]), tensor("losses", [losses.x, losses.y]),
      ])
  }

  /// Continues from a checkpoint.
  /// - Throws: where it is no checkpoint, or that of another run.
  mutating func restore(_ file: SafetensorsFile, identity: String) throws {
    guard file.metadata["format"] == Self.format else {
      throw DiffNNPError("it is no checkpoint of diffnnp train; remove it, or train without --resume")
    }
    guard file.metadata["identity"] == identity else {
      throw DiffNNPError("it belongs to a run with other settings or frames; train without --resume to start anew")
    }
    func values(_ name: String, _ count: Int) throws -> [Double] {
      guard let tensor = file.tensors.first(where: { $0.name == name }), tensor.values.count == count else {
        throw DiffNNPError("its tensor \(name) is missing or of another size; train without --resume to start anew")
      }
      return tensor.values
    }
    let count = parameters.values.count
    guard let step = file.metadata["step"].flatMap({ Int($0) }), Self.sensibleSteps ~= step,
      let bestStep = file.metadata["best_step"].flatMap({ Int($0) }), 0...step ~= bestStep,
      let bestHeldOut = file.metadata["best_held_out"].flatMap({ Double($0) }), !bestHeldOut.isNaN
    else { throw DiffNNPError("its step is unreadable; train without --resume to start anew") }
    parameters.values = try values("parameters", count)
    optimiser = try Adam(
      step: step, firstMoment: values("first_moment", count), secondMoment: values("second_moment", count),
      average: values("average", count), usualNorm: values("usual_norm", 1)[0])
    best = try values("best", count)
    let sums = try values("losses", 2)
    losses = [sums[0], sums[1]]
    self.bestStep = bestStep
    self.bestHeldOut = bestHeldOut
  }
}
