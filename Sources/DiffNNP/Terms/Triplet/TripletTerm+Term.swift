extension TripletTerm: Term {
  public static let name = "triplets"
  private static let tensor = tensorPrefix + "coefficients"

  public var typeCount: Int { basis.typeCount }
  public var rMax: Double { basis.rMax }
  public var isManyBody: Bool { true }

  public var summary: [String] {
    ["\(basis.count) functions, \(basis.radialCount) distances up to \(basis.rMax) Å, l up to \(basis.lMax)"]
  }

  public var stored: StoredTerm {
    let shape = [basis.typeCount, basis.productCount]
    return StoredTerm(
      settings: basis.json, tensors: [NamedTensor(name: Self.tensor, shape: shape, values: coefficients)])
  }

  public init(_ stored: StoredTerm, typeNames: [String]) throws {
    let settings = stored.settings
    guard let rMax = settings["r_max"]?.double, let intervals = settings["intervals"]?.int,
      let first = settings["first"]?.int, let lMax = settings["l_max"]?.int
    else { throw DiffNNPError("metadata \"triplets\" needs the numbers r_max, intervals, first and l_max") }
    let basis = try TripletBasis(
      typeCount: typeNames.count, rMax: rMax, intervals: intervals, first: first, lMax: lMax,
      floor: naming("metadata \"triplets\"") { try DistanceFloor(json: settings, typeCount: typeNames.count) })
    try self.init(basis, coefficients: stored.values(Self.tensor, shape: [typeNames.count, basis.productCount]))
  }

  public func makeEvaluator(_ precision: Precision, energyScale: Double) -> TermEvaluator {
    .centres(stage: .triplets) { TripletEvaluator(self) }
  }
}

extension TripletBasis {
  /// What weight files say of it.
  var json: JSONValue {
    let members: [JSONValue.Member] = [
      .init("r_max", .number(rMax)), .init("intervals", JSONValue(intervals)), .init("first", JSONValue(first)),
      .init("l_max", JSONValue(lMax)),
    ]
    return .object(members + floor.json)
  }
}

extension StageClock.Stage {
  static let triplets = Self(name: "triplets")
}

private final class TripletEvaluator: CentreEvaluating {
  private let term: TripletTerm
  private var scratch = TripletScratch()

  init(_ term: TripletTerm) { self.term = term }

  func add(
    _ edges: EdgeList, centres: Range<Int>, scale: Double, energies: UnsafeMutablePointer<Double>, forces: ForceSums
  ) throws {
    try term.add(edges, centres: centres, scale: scale, energies: energies, forces: forces, scratch: &scratch)
  }
}
