extension PairTerm: Term {
  public static let name = "pair"
  private static let tensor = tensorPrefix + "coefficients"

  public var isManyBody: Bool { false }

  public var summary: [String] { ["cubic B-splines, \(intervals) intervals up to \(rMax) Å"] }

  public var stored: StoredTerm {
    let shape = [TypePairs.count(typeCount), intervals]
    return StoredTerm(
      settings: ["r_max": .number(rMax), "intervals": JSONValue(intervals)],
      tensors: [NamedTensor(name: Self.tensor, shape: shape, values: freeCoefficients)])
  }

  public init(_ stored: StoredTerm, typeNames: [String]) throws {
    guard let rMax = stored.settings["r_max"]?.double, let intervals = stored.settings["intervals"]?.int else {
      throw DiffNNPError("metadata \"pair\" needs the numbers r_max and intervals")
    }
    let free = try stored.values(Self.tensor, shape: [TypePairs.count(typeNames.count), intervals])
    try self.init(typeCount: typeNames.count, rMax: rMax, intervals: intervals, free: free)
  }

  public func makeEvaluator(_ precision: Precision, energyScale: Double) -> TermEvaluator {
    .centres(stage: .pair) { PairEvaluator(self) }
  }
}

extension StageClock.Stage {
  static let pair = Self(name: "pair")
}

private final class PairEvaluator: CentreEvaluating {
  private let term: PairTerm
  private var slopes = Buffer<SIMD4<Double>>()

  init(_ term: PairTerm) { self.term = term }

  func add(
    _ edges: EdgeList, centres: Range<Int>, scale: Double, energies: UnsafeMutablePointer<Double>, forces: ForceSums
  ) throws {
    try term.add(edges, centres: centres, scale: scale, energies: energies, forces: forces, scratch: &slopes)
  }
}
