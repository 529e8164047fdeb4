import DiffNNP
import DiffNNPFrames
import DiffNNPTraining

/// The keys of a training configuration; `diffnnp train --help` explains them.
extension TrainingConfiguration {
  /// - Throws: where a key is unknown, a value is not valid, or frames, temperature or output are missing.
  package init(_ node: YAMLNode) throws {
    let root = try ConfigurationSection(node)
    try root.refuseOldKeys()
    try self.init(frames: root)
    fit.objective = try root.choice("objective", TrainingObjective.self) ?? fit.objective
    members = try root.positive("members", or: members)!
    guard Self.sensibleMembers ~= members else {
      throw root.failure("members", "is \(members); expected 1 to \(Self.sensibleMembers.upperBound)")
    }
    fit.triplets = try root.optional("triplets", or: fit.triplets) { try TripletSettings($0) }
    refinementSteps =
      try root.optional("refinement", or: refinementSteps) { section in
        let steps = try section.int("steps") ?? refinementSteps
        guard steps >= 0 else {
          throw section.failure("steps", "is \(steps); expected 0 for none, or a positive number")
        }
        try section.finish()
        return steps
      } ?? 0
    try root.finish()
  }

  /// Reads the keys that all programs for training share: frames, temperature, output, seed, threads, blocks, pairs and
  /// network.
  /// - Throws: where a value is not valid, or frames, temperature or output are missing.
  package init(frames root: ConfigurationSection) throws {
    guard let frames = try root.text("frames") else {
      throw root.failure("frames", "is missing: name the trajectory to learn from")
    }
    guard let temperature = try root.double("temperature") else {
      throw root.failure("temperature", "is missing: give the temperature of the frames in K (--temperature 300)")
    }
    try naming(root.location(of: "temperature")) { try Temperature.check(temperature) }
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
    if let value = try root.positive("seed", or: nil) { fit.seed = UInt64(value) }
    fit.threads = try root.positive("threads", or: fit.threads)!
    fit.blockCount = try root.positive("blocks", or: fit.blockCount)!
    fit.pairs = try PairSettings(root.section("pair"))
    if root.node("network") != nil { network = try NetworkSettings(root.section("network"), seed: fit.seed) }
  }
}

extension PairSettings {
  fileprivate init(_ section: ConfigurationSection) throws {
    self.init()
    rMax = try section.double("r_max")
    spacing = try section.double("spacing") ?? spacing
    try section.finish()
  }
}

extension TripletSettings {
  fileprivate init(_ section: ConfigurationSection) throws {
    self.init()
    rMax = try section.double("r_max")
    intervals = try section.int("intervals")
    lMax = try section.int("l_max")
    if let fault { throw section.failure(fault.key, fault.reason) }
    try section.finish()
  }
}

extension NetworkSettings {
  fileprivate init(_ section: ConfigurationSection, seed: UInt64) throws {
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
    refinementRate = try section.double("refinement_rate") ?? refinementRate
    self.seed = try section.positive("seed", or: nil).map(UInt64.init) ?? seed
    if let fault { throw section.failure(fault.key, fault.reason) }
    try section.finish()
  }
}

extension ConfigurationSection {
  /// A whole number above zero.
  package func positive(_ key: String, or missing: Int?) throws -> Int? {
    guard let value = try int(key) else { return missing }
    guard value > 0 else { throw failure(key, "is \(value); expected a whole number above 0") }
    return value
  }

  /// The settings of a section that may also be `false`, for none, or `true`, for the defaults.
  /// - Parameter missing: the value where the key is absent.
  fileprivate func optional<Settings>(
    _ key: String, or missing: Settings?, _ make: (ConfigurationSection) throws -> Settings
  ) throws -> Settings? {
    guard let node = node(key) else { return missing }
    guard node.mapping == nil else { return try make(section(key)) }
    guard let isWanted = node.bool else {
      throw failure(key, "is \(node.text.map { "\"\($0)\"" } ?? "a list"); expected settings, true or false")
    }
    return isWanted ? try make(ConfigurationSection(.empty(location: location(of: key)), path: key)) : nil
  }

  /// Keys of version 0.1, by the sections that lead to them, and what to write instead.
  private static let oldKeys = [
    (["likelihood_steps"], "is now refinement.steps"),
    (["network", "likelihood_rate"], "is now network.refinement_rate"),
    (
      ["pair", "likelihood"],
      "is no more: diffnnp train always learns by the likelihood; levels of noise are for diffnnp-lab train"
    ),
    (["noise"], "is no more: levels of noise are for diffnnp-lab train; those of a network are network.sigma"),
  ]

  /// - Throws: where there is a key of version 0.1 that has been renamed or removed.
  fileprivate func refuseOldKeys() throws {
    for (path, advice) in Self.oldKeys {
      var section: ConfigurationSection? = self
      for key in path.dropLast() {
        section = try section.flatMap { $0.node(key)?.mapping == nil ? nil : try $0.section(key) }
      }
      if let section, section.has(path.last!) { throw section.failure(path.last!, advice) }
    }
  }
}
