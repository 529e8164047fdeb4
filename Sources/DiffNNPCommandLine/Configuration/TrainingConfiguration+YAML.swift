import DiffNNP
import DiffNNPFrames
import DiffNNPTraining

/// The keys of a training configuration; `diffnnp train --help` explains them.
extension TrainingConfiguration {
  /// - Throws: where a key is unknown, a value makes no sense, or frames, temperature or output are missing.
  package init(_ node: YAMLNode) throws {
    let root = try ConfigurationSection(node)
    guard let frames = try root.text("frames") else {
      throw root.failure("frames", "is missing: name the trajectory to learn from")
    }
    guard let temperature = try root.double("temperature") else {
      throw root.failure("temperature", "is missing: give the temperature of the frames in K (--temperature 300)")
    }
    try naming(root.place(of: "temperature")) { try Temperature.check(temperature) }
    guard let output = try root.text("output") else {
      throw root.failure("output", "is missing: name the weight file to write (-o model.safetensors)")
    }
    self.init(frames: frames, temperature: temperature, output: output)
    selection = try TrajectorySelection(
      species: root.texts("select"), typeNames: root.texts("types"), slice: root.text("slice") ?? ":")
    do { selection.units = try root.texts("units").map { try FileUnits(names: $0) } } catch let error as DiffNNPError {
      throw root.failure("units", "is refused: \(error.message)")
    }
    selection.forcesName = try root.text("forces_name")
    selection.leavesOutRepeats = true
    members = try root.positive("members", or: members)!
    guard Self.sensibleMembers ~= members else {
      throw root.failure("members", "is \(members); expected 1 to \(Self.sensibleMembers.upperBound)")
    }
    pair = try PairFit.Settings(root)
    pair.triplets = try triplets(root)
    likelihoodSteps = try root.int("likelihood_steps") ?? likelihoodSteps
    guard likelihoodSteps >= 0 else {
      throw root.failure("likelihood_steps", "is \(likelihoodSteps); expected 0 for none, or a positive number")
    }
    if root.node("network") != nil {
      network = try NetworkSettings(root.section("network"), seed: pair.seed)
    }
    try root.finish()
  }
}

extension PairFit.Settings {
  /// Settings of the fit, from keys of the whole configuration and its sections `noise` and `pair`.
  package init(_ root: ConfigurationSection) throws {
    self.init()
    objective = try root.choice("objective", TrainingObjective.self) ?? objective
    if let value = try root.positive("seed", or: nil) { seed = UInt64(value) }
    threads = try root.positive("threads", or: threads)!
    blockCount = try root.positive("blocks", or: blockCount)!
    let noiseSection = try root.section("noise")
    noise = try NoiseMode(noiseSection)
    let section = try root.section("pair")
    rMax = try section.double("r_max")
    spacing = try section.double("spacing") ?? spacing
    usesLikelihood = try section.bool("likelihood") ?? usesLikelihood
    try section.finish()
    guard !isRefined || noiseSection.node("sigma") == nil else {
      throw noiseSection.failure(
        "sigma", "is for training without force labels and with pair.likelihood: false; leave it out")
    }
  }
}

extension TrainingConfiguration {
  /// Triplets as the section says; where nothing is said, there are some where the objective allows them.
  private func triplets(_ root: ConfigurationSection) throws -> TripletSettings? {
    let canHave = pair.isRefined
    guard let node = root.node("triplets") else {
      return canHave ? TripletSettings() : nil
    }
    if node.mapping == nil { if try root.bool("triplets") == false { return nil } }
    guard canHave else {
      throw root.failure("triplets", "need the noise ladder, and pair.likelihood or forces")
    }
    return node.mapping == nil ? TripletSettings() : try TripletSettings(root.section("triplets"))
  }
}

extension TripletSettings {
  /// Reads the section `triplets`.
  package init(_ section: ConfigurationSection) throws {
    self.init()
    rMax = try section.double("r_max")
    intervals = try section.int("intervals")
    lMax = try section.int("l_max")
    if let fault { throw section.failure(fault.key, fault.reason) }
    try section.finish()
  }
}

extension NoiseMode {
  /// Names of the modes in configurations.
  private enum Name: String, CaseIterable {
    case ladder, fixed, copies, fresh, antithetic
    case variancePreserving = "variance-preserving"
  }

  /// Reads the section `noise`; the ladder where it says nothing.
  package init(_ section: ConfigurationSection) throws {
    let name = try section.choice("mode", Name.self) ?? .ladder
    let sigmas = try section.doubles("sigma")
    let copies = try section.positive("copies", or: name == .copies ? 10 : 1)!
    guard [.copies, .antithetic, .variancePreserving].contains(name) || section.node("copies") == nil else {
      throw section.failure("copies", "is not for mode \(name.rawValue); leave it out")
    }
    guard Self.sensibleDraws ~= copies else {
      throw section.failure("copies", "is \(copies); expected 1 to \(Self.sensibleDraws.upperBound)")
    }
    func single() throws -> Double {
      guard let sigmas, sigmas.count == 1 else {
        throw section.failure("sigma", "must be one noise level in Å for mode \(name.rawValue)")
      }
      return sigmas[0]
    }
    switch name {
    case .ladder: self = .ladder(sigmas: sigmas ?? NoiseMode.defaultSigmas)
    case .fixed: self = .fixed(sigma: try single())
    case .copies: self = .copies(sigma: try single(), count: copies)
    case .fresh: self = .fresh(sigma: try single())
    case .antithetic: self = .antithetic(sigma: try single(), pairs: copies)
    case .variancePreserving: self = .variancePreserving(sigma: try single(), copies: copies)
    }
    try section.finish()
    do { try validate() } catch { throw section.failure(sigmas == nil ? "mode" : "sigma", "is refused: \(error)") }
  }
}

extension NetworkSettings {
  /// Reads the section `network`.
  /// - Parameter seed: where the section has none of its own.
  package init(_ section: ConfigurationSection, seed: UInt64) throws {
    self.init()
    features = try section.int("features") ?? features
    layers = try section.int("layers") ?? layers
    lMax = try section.int("l_max") ?? lMax
    rMax = try section.double("r_max") ?? rMax
    basisCount = try section.int("num_basis") ?? basisCount
    radialLayers = try section.int("radial_layers") ?? radialLayers
    radialWidth = try section.int("radial_width") ?? radialWidth
    steps = try section.int("steps") ?? steps
    batchSize = try section.int("batch_size") ?? batchSize
    learningRate = try section.double("learning_rate") ?? learningRate
    sigmas = try section.doubles("sigma") ?? sigmas
    sigmaOrder = try section.int("sigma_order") ?? sigmaOrder
    averaging = try section.double("ema") ?? averaging
    validationInterval = try section.int("validation_interval") ?? validationInterval
    patience = try section.int("patience") ?? patience
    likelihoodRate = try section.double("likelihood_rate") ?? likelihoodRate
    self.seed = try section.positive("seed", or: nil).map(UInt64.init) ?? seed
    if let fault { throw section.failure(fault.key, fault.reason) }
    try section.finish()
  }
}

extension ConfigurationSection {
  /// A whole number above zero.
  fileprivate func positive(_ key: String, or missing: Int?) throws -> Int? {
    guard let value = try int(key) else { return missing }
    guard value > 0 else { throw failure(key, "is \(value); expected a whole number above 0") }
    return value
  }
}
