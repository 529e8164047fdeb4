import DiffNNPCommandLine

extension NoiseMode {
  /// Names of the modes in configurations.
  private enum Name: String, CaseIterable {
    case ladder, fixed, copies, fresh, antithetic
    case variancePreserving = "variance-preserving"
  }

  /// Reads the section `noise` of a recipe.
  /// - Throws: where a key is unknown, or a value is not valid.
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
