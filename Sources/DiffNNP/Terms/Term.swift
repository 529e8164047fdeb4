/// An additive contribution to the energy of a potential, in units of the potential's `energyScale`. Immutable, and
/// safe to share between threads.
///
/// A new one is a folder in `Terms`, and a line in `TermRegistry`.
public protocol Term: Sendable {
  /// What weight files and messages call this kind of term: `pair`.
  static var name: String { get }
  /// Prefix of the names of the term's tensors in weight files: as a rule its name and a dot, and different for each
  /// kind.
  static var tensorPrefix: String { get }
  /// Number of atom types that the term is made for.
  var typeCount: Int { get }
  /// Cutoff (Å): atoms farther apart do not interact.
  var rMax: Double { get }
  /// Whether the energy of an edge depends on more than its two ends: forces then act between atoms that no edge joins.
  var isManyBody: Bool { get }
  /// Numbers of each atom that travel between domains in each exchange of features (see `AtomExchange`), in order;
  /// empty for a term that needs no exchange.
  var exchangeWidths: [Int] { get }
  /// A description for people, in lines.
  var summary: [String] { get }
  /// Settings and tensors of the term, as a weight file holds them.
  var stored: StoredTerm { get }
  /// Names of the tensors of `stored`.
  var tensorNames: [String] { get }
  /// Makes the term from what a weight file holds.
  /// - Throws: where something is missing, or does not fit together.
  init(_ stored: StoredTerm, typeNames: [String]) throws
  /// Makes what computes the term, for one evaluator.
  /// - Parameter energyScale: eV for one unit of its energy.
  func makeEvaluator(_ precision: Precision, energyScale: Double) -> TermEvaluator
}

extension Term {
  /// The default prefix: the name of the kind and a dot.
  public static var tensorPrefix: String { name + "." }
  /// The name of the term's kind.
  public var name: String { Self.name }
  /// The default: from `stored`, which may copy the tensors.
  public var tensorNames: [String] { stored.tensors.map(\.name) }
  /// The default: no exchanges.
  public var exchangeWidths: [Int] { [] }
}

/// A term as a weight file holds it: what the metadata say of it, and its tensors, under their names in the file.
public struct StoredTerm: Sendable {
  /// Hyperparameters, as JSON under the term's key in the metadata.
  public var settings: JSONValue
  /// Tensors, whose names begin with the term's prefix.
  public var tensors: [NamedTensor]

  /// Settings and tensors of a term.
  public init(settings: JSONValue, tensors: [NamedTensor]) {
    self.settings = settings
    self.tensors = tensors
  }

  /// The values of a tensor.
  /// - Throws: where it is not there, or of another shape.
  public func values(_ name: String, shape: [Int]) throws -> [Double] {
    guard let tensor = tensors.first(where: { $0.name == name }) else {
      throw DiffNNPError("there is no tensor \(name)")
    }
    guard tensor.shape == shape else {
      throw DiffNNPError("tensor \(name) has shape \(tensor.shape), expected \(shape)")
    }
    return tensor.values
  }
}

/// How a term is computed.
public enum TermEvaluator {
  /// The energy of a centre follows from its own edges. Each thread has an evaluator of its own, and takes some
  /// centres.
  case centres(stage: StageClock.Stage, make: () -> any CentreEvaluating)
  /// All edges are needed at once; the evaluator divides the work among its threads itself.
  case graph(any GraphEvaluating)
}

/// Computes a term for some centres at a time. Holds the buffers of one thread.
public protocol CentreEvaluating: AnyObject {
  /// Adds the energies of some centres, and the forces that follow from them, times `scale`.
  /// - Parameters:
  ///   - edges: those of the centres.
  ///   - energies: of all centres (eV) [centreCount].
  /// - Throws: `OutOfMemory`.
  func add(
    _ edges: EdgeList, centres: Range<Int>, scale: Double, energies: UnsafeMutablePointer<Double>, forces: ForceSums)
    throws
}

/// Computes a term of all centres at once.
public protocol GraphEvaluating: AnyObject {
  /// Clock that takes the time of each stage; nil for none.
  var clock: StageClock? { get set }
  /// Threads that share the work; nil for one.
  var team: ThreadTeam? { get set }
  /// Adds `scale` times the energies of the centres (eV) [centreCount], and the forces of the energy of all domains.
  /// - Throws: `OutOfMemory`.
  func add(
    _ edges: KeptEdges, exchange: AtomExchange?, scale: Double, energies: UnsafeMutablePointer<Double>,
    forces: ForceSums) throws
}
