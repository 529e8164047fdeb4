/// Arithmetic of the network: single precision for dynamics, double for checks.
public enum Precision: String, CaseIterable, Sendable {
  case single, double
}

/// Where the force on the far end of an edge goes.
public enum ForceFolding {
  /// To the atom the edge points at. For edges that point at atoms themselves, or codes that add forces on ghosts
  /// to their owners.
  case neighbours
  /// To the centre, twice: for pair terms alone, whose edges come in both directions. Ghosts receive nothing.
  case centres
}

/// Computes energy, forces and virial of a potential. Holds buffers that only grow; one for each thread.
public final class Evaluator {
  public let potential: Potential
  public let precision: Precision
  /// Takes the time of each stage; nil for not at all.
  public var clock: StageClock? {
    didSet { network?.clock = clock }
  }
  private let network: NetworkEvaluating?
  private var gradients = Buffer<SIMD3<Double>>()
  private var energies = Buffer<Double>()
  private var gradeScratch = Buffer<Double>()

  public init(_ potential: Potential, precision: Precision = .single) {
    self.potential = potential
    self.precision = precision
    network = potential.network?.makeEvaluator(precision, energyScale: potential.energyScale)
  }

  /// What to compute. Forces, atom energies and virials are overwritten, not added to; nil where unwanted.
  public struct Outputs {
    /// Energies of the centres (eV) [centreCount].
    public var atomEnergies: UnsafeMutablePointer<Double>?
    /// Forces (eV/Å) [atomCount][3].
    public var forces: UnsafeMutablePointer<Double>?
    /// Virial -Σ r ⊗ dE/dr (eV): xx, yy, zz, xy, xz, yz.
    public var virial: UnsafeMutablePointer<Double>?
    /// The same for each atom [atomCount][6]: the symmetric part, half of each edge's to either end, or all of it to the
    /// centre, as forces are folded.
    public var atomVirials: UnsafeMutablePointer<Double>?
    /// Virial of each atom about the centres whose energy acts on it [atomCount][9]: xx, yy, zz, xy, xz, yz, yx, zx, zy,
    /// the first letter that of r. An edge's belongs to its far end: the energy is the centre's, the force acts at the
    /// far end, so with these the heat flux is Σ (E_i + W_i) v_i.
    public var centroidVirials: UnsafeMutablePointer<Double>?
    /// Extrapolation grades of the centres [centreCount]; the potential must have them.
    public var atomGrades: UnsafeMutablePointer<Double>?

    public init(
      atomEnergies: UnsafeMutablePointer<Double>? = nil, forces: UnsafeMutablePointer<Double>? = nil,
      virial: UnsafeMutablePointer<Double>? = nil, atomVirials: UnsafeMutablePointer<Double>? = nil,
      centroidVirials: UnsafeMutablePointer<Double>? = nil, atomGrades: UnsafeMutablePointer<Double>? = nil
    ) {
      self.atomEnergies = atomEnergies
      self.forces = forces
      self.virial = virial
      self.atomVirials = atomVirials
      self.centroidVirials = centroidVirials
      self.atomGrades = atomGrades
    }
  }

  /// Computes the energy (eV) of the centres, and what `outputs` asks for.
  /// - Parameter exchange: for a network whose edges point at atoms of other domains; begun.
  public func compute(
    _ edges: EdgeList, folding: ForceFolding = .neighbours, exchange: AtomExchange? = nil, into outputs: Outputs
  ) -> Double {
    let gradients = gradients.reserve(edges.count)
    let energies = energies.reserve(edges.centreCount)
    gradients.update(repeating: .zero, count: edges.count)
    energies.update(repeating: 0, count: edges.centreCount)
    let scale = potential.energyScale
    clock?.enter(.pair)
    potential.pair?.add(edges, scale: scale, energies: energies, gradients: gradients)
    network?.add(edges, exchange: exchange, scale: scale, energies: energies, gradients: gradients)

    clock?.enter(.forces)
    var total = 0.0
    for i in 0..<edges.centreCount { total += energies[i] }
    outputs.atomEnergies?.update(from: energies, count: edges.centreCount)
    if let forces = outputs.forces { foldForces(edges, gradients, folding, into: forces) }
    addVirials(edges, gradients, folding, outputs)
    if let virials = outputs.centroidVirials { addCentroidVirials(edges, gradients, folding, to: virials) }
    if let grades = outputs.atomGrades { grade(edges, into: grades) }
    clock?.enter(nil)
    return total
  }

  private func grade(_ edges: EdgeList, into grades: UnsafeMutablePointer<Double>) {
    guard let grade = potential.grade else { return grades.update(repeating: 0, count: edges.centreCount) }
    let scratch = gradeScratch.reserve(grade.scratchSize)
    for i in 0..<edges.centreCount { grades[i] = grade.grade(of: i, edges, scratch: scratch) }
  }

  /// F_centre += dE/dr_ij, F_neighbour -= dE/dr_ij.
  private func foldForces(
    _ edges: EdgeList, _ gradients: UnsafeMutablePointer<SIMD3<Double>>, _ folding: ForceFolding,
    into forces: UnsafeMutablePointer<Double>
  ) {
    forces.update(repeating: 0, count: 3 * edges.atomCount)
    for i in 0..<edges.centreCount {
      var force = SIMD3<Double>.zero
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) {
        let gradient = gradients[e]
        force += gradient
        if folding == .neighbours {
          let f = forces + 3 * Int(edges.neighbours[e])
          f[0] -= gradient.x
          f[1] -= gradient.y
          f[2] -= gradient.z
        }
      }
      if folding == .centres { force += force }
      forces[3 * i] += force.x
      forces[3 * i + 1] += force.y
      forces[3 * i + 2] += force.z
    }
  }

  private func addVirials(
    _ edges: EdgeList, _ gradients: UnsafeMutablePointer<SIMD3<Double>>, _ folding: ForceFolding, _ outputs: Outputs
  ) {
    guard outputs.virial != nil || outputs.atomVirials != nil else { return }
    outputs.virial?.update(repeating: 0, count: 6)
    outputs.atomVirials?.update(repeating: 0, count: 6 * edges.atomCount)
    for i in 0..<edges.centreCount {
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) {
        let (r, g) = (edges.vectors[e], gradients[e])
        add(-1, r, g, to: outputs.virial)
        if let atomVirials = outputs.atomVirials {
          let ends = folding == .centres ? (i, i) : (i, Int(edges.neighbours[e]))
          add(-0.5, r, g, to: atomVirials + 6 * ends.0)
          add(-0.5, r, g, to: atomVirials + 6 * ends.1)
        }
      }
    }
  }

  @inline(__always)
  private func add(
    _ factor: Double, _ r: SIMD3<Double>, _ g: SIMD3<Double>, to virial: UnsafeMutablePointer<Double>?
  ) {
    guard let virial else { return }
    virial[0] += factor * r.x * g.x
    virial[1] += factor * r.y * g.y
    virial[2] += factor * r.z * g.z
    virial[3] += 0.5 * factor * (r.x * g.y + r.y * g.x)
    virial[4] += 0.5 * factor * (r.x * g.z + r.z * g.x)
    virial[5] += 0.5 * factor * (r.y * g.z + r.z * g.y)
  }

  private func addCentroidVirials(
    _ edges: EdgeList, _ gradients: UnsafeMutablePointer<SIMD3<Double>>, _ folding: ForceFolding,
    to virials: UnsafeMutablePointer<Double>
  ) {
    virials.update(repeating: 0, count: 9 * edges.atomCount)
    for i in 0..<edges.centreCount {
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) {
        let (r, g) = (edges.vectors[e], gradients[e])
        // Of a pair term alone, the edge from the far end has the same virial, and gives it to this centre.
        let w = virials + 9 * (folding == .centres ? i : Int(edges.neighbours[e]))
        w[0] -= r.x * g.x
        w[1] -= r.y * g.y
        w[2] -= r.z * g.z
        w[3] -= r.x * g.y
        w[4] -= r.x * g.z
        w[5] -= r.y * g.z
        w[6] -= r.y * g.x
        w[7] -= r.z * g.x
        w[8] -= r.z * g.y
      }
    }
  }
}

/// A term that adds its energy and its gradient with respect to edge vectors.
protocol NetworkEvaluating: AnyObject {
  var clock: StageClock? { get set }
  /// Adds `scale` times the energies of the centres [centreCount] and the gradients of the energy of all domains
  /// [edges.count].
  func add(
    _ edges: EdgeList, exchange: AtomExchange?, scale: Double, energies: UnsafeMutablePointer<Double>,
    gradients: UnsafeMutablePointer<SIMD3<Double>>)
}

/// Uninitialised memory that only grows, for plain values.
struct Buffer<Element> {
  private var storage: Storage?

  private final class Storage {
    let pointer: UnsafeMutablePointer<Element>
    let capacity: Int
    init(_ capacity: Int) {
      self.capacity = capacity
      pointer = .allocate(capacity: capacity)
    }
    deinit { pointer.deallocate() }
  }

  /// Room for `count` elements; what was there is lost where the buffer has to grow.
  mutating func reserve(_ count: Int) -> UnsafeMutablePointer<Element> {
    if let storage, storage.capacity >= count { return storage.pointer }
    let new = Storage(max(count + count / 4, 16))
    storage = new
    return new.pointer
  }
}
