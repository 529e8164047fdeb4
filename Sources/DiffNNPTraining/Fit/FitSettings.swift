/// The data that training learns from.
public enum TrainingObjective: String, CaseIterable, Sendable {
  /// Configurations alone, by denoising.
  case denoising
  /// Force labels alone.
  case forces
  /// Configurations and force labels together.
  case mixed

  /// Whether configurations are learned from.
  var usesConfigurations: Bool { self != .forces }
  /// Whether force labels are learned from.
  public var usesForces: Bool { self != .denoising }
}

/// Settings of the functions of pairs.
public struct PairSettings: Equatable, Sendable {
  /// Cutoff (Å); nil for 12 Å, half the smallest height of a cell, or as far as the mean atom has 150 neighbours,
  /// whichever is least.
  public var rMax: Double?
  /// Knot spacing (Å).
  public var spacing = 0.1

  /// The default settings.
  public init() {}
}

/// Settings of a fit (see `LinearFit`).
public struct FitSettings: Sendable {
  /// The data that are fitted: configurations, force labels or both.
  public var objective = TrainingObjective.denoising
  /// Functions of pairs.
  public var pairs = PairSettings()
  /// Functions of triplets; nil for none.
  public var triplets: TripletSettings? = TripletSettings()
  /// A part of the potential that is given and not learned; nil for none.
  package var known: (any KnownPart)?
  /// Number of blocks of time for cross-validation.
  public var blockCount = 5
  /// Seed of all random numbers.
  public var seed: UInt64 = 1
  /// Number of threads.
  public var threads = Parallel.processorCount
  /// Processes that share the work; the result does not depend on them.
  public var ranks = Ranks.one

  /// The default settings.
  public init() {}
}
