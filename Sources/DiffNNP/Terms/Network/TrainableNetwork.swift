/// A network whose parameters change: its forces, and the gradients of losses of its forces, by forward over reverse
/// (see `NetworkEvaluator`). Weights are shared by all threads between changes; each thread works with a `Worker`.
public final class TrainableNetwork: @unchecked Sendable {
  /// Hyperparameters.
  public let architecture: NetworkArchitecture
  /// Number of parameters.
  public let parameterCount: Int
  private let implementation: any TrainableImplementation

  /// A network whose parameters are still to be set.
  /// - Parameter tableSpacing: knots (Å) of the radial tables. The tables are the model while it is trained:
  ///   derivatives are exact for them.
  /// - Throws: where the architecture is outside the family.
  public init(_ architecture: NetworkArchitecture, precision: Precision = .single, tableSpacing: Double = 0.04) throws {
    let plan = try NetworkPlan(architecture)
    let intervals = max(16, Int((architecture.rMax / tableSpacing).rounded(.up)))
    self.architecture = architecture
    parameterCount = plan.parameterCount
    implementation =
      switch precision {
      case .single: Trainable<SIMD8<Float>>(plan, intervals: intervals)
      case .double: Trainable<SIMD4<Double>>(plan, intervals: intervals)
      }
  }

  /// Takes over new parameters. No worker may be at work meanwhile.
  public func set(_ parameters: [Double]) {
    precondition(parameters.count == parameterCount)
    implementation.set(parameters)
  }

  /// Makes what one thread needs to work with the network.
  public func makeWorker() -> Worker { Worker(implementation) }
  /// Makes memory for a gradient with respect to the network's weights.
  public func makeGradient() -> Gradient { Gradient(implementation.makeGradient()) }

  /// The sum of the gradients, in the order given, with respect to all parameters.
  public func parameterGradient(_ gradients: [Gradient]) -> [Double] {
    implementation.parameterGradient(gradients.map(\.storage))
  }

  /// Random parameters as NequIP initialises them: all weights from N(0, 1), Bessel frequencies nπ, no shift; the last
  /// linear layer is smaller by `readout`, so that training starts close to no network at all.
  /// - Throws: where the architecture is outside the family.
  public static func randomParameters(
    _ architecture: NetworkArchitecture, readout: Double, using random: inout some RandomNumberGenerator
  ) throws -> [Double] {
    let plan = try NetworkPlan(architecture)
    var parameters = (0..<plan.parameterCount).map { _ in normal(using: &random) }
    for n in 0..<architecture.numBasis { parameters[plan.bessel + n] = Double.pi * Double(n + 1) }
    for k in 0..<plan.readout.rows { parameters[plan.readout.offset + k] *= readout }
    for t in architecture.typeNames.indices {
      parameters[plan.scales + t] = 1
      parameters[plan.shifts + t] = 0
    }
    parameters[plan.scaleBy] = 1
    return parameters
  }

  /// Standard normal.
  private static func normal(using random: inout some RandomNumberGenerator) -> Double {
    let u = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &random)
    return Philox.normals(from: u, .random(in: 0..<1, using: &random)).0
  }

  /// Sums of gradients of one or more configurations.
  public final class Gradient: @unchecked Sendable {
    fileprivate let storage: AnyObject

    fileprivate init(_ storage: AnyObject) { self.storage = storage }
  }

  /// The work of one thread.
  public final class Worker: @unchecked Sendable {
    private let worker: any TrainableWorker
    private var sums = Buffer<Double>()
    private var edgeTangents = Buffer<SIMD3<Double>>()

    fileprivate init(_ implementation: any TrainableImplementation) {
      worker = implementation.makeWorker()
    }

    /// Adds the forces (energy unit/Å) on all atoms to `forces`, and returns the energy.
    public func addForces(_ edges: EdgeList, to forces: inout [SIMD3<Double>]) -> Double {
      let sums = clearedSums(edges)
      let energy = worker.evaluate(edges, forces: sums)
      add(sums, to: &forces)
      return energy
    }

    /// Clears `gradient`, and puts in it `weight` times ∂E/∂θ.
    public func differentiateEnergy(_ edges: EdgeList, weight: Double, into gradient: Gradient) {
      worker.differentiateEnergy(edges, weight: weight, gradient: gradient.storage)
    }

    /// Clears `gradient`, and puts in it the derivative along `directions` w of ∂E/∂θ, which is -∂(Σ w·F)/∂θ.
    public func differentiate(_ edges: EdgeList, directions: [SIMD3<Double>], into gradient: Gradient) {
      worker.differentiate(edges, edgeDirections(edges, directions), tangents: nil, gradient: gradient.storage)
    }

    /// Adds to `forces` their derivative along `directions` w: minus the Hessian times w.
    public func addForceDerivatives(_ edges: EdgeList, directions: [SIMD3<Double>], to forces: inout [SIMD3<Double>]) {
      let sums = clearedSums(edges)
      worker.differentiate(edges, edgeDirections(edges, directions), tangents: sums, gradient: nil)
      add(sums, to: &forces)
    }

    private func edgeDirections(_ edges: EdgeList, _ directions: [SIMD3<Double>]) -> UnsafePointer<SIMD3<Double>> {
      assert(directions.count == edges.atomCount)
      let w = edgeTangents.reserveOrEnd(edges.count)
      directions.withUnsafeBufferPointer { directions in
        for i in 0..<edges.centreCount {
          for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) {
            w[e] = directions[Int(edges.neighbours[e])] - directions[i]
          }
        }
      }
      return UnsafePointer(w)
    }

    private func clearedSums(_ edges: EdgeList) -> ForceSums {
      let cleared = ForceSums(forces: sums.reserveOrEnd(3 * edges.atomCount))
      cleared.clear(atomCount: edges.atomCount)
      return cleared
    }

    private func add(_ sums: ForceSums, to forces: inout [SIMD3<Double>]) {
      assert(self.sums.holds(3 * forces.count))
      guard let f = sums.forces else { return }
      for i in forces.indices { forces[i] += SIMD3(f[3 * i], f[3 * i + 1], f[3 * i + 2]) }
    }
  }
}

/// What differs between precisions.
private protocol TrainableImplementation: AnyObject {
  func set(_ parameters: [Double])
  func makeWorker() -> any TrainableWorker
  func makeGradient() -> AnyObject
  func parameterGradient(_ gradients: [AnyObject]) -> [Double]
}

private protocol TrainableWorker: AnyObject {
  func evaluate(_ edges: EdgeList, forces: ForceSums) -> Double
  func differentiateEnergy(_ edges: EdgeList, weight: Double, gradient: AnyObject)
  func differentiate(
    _ edges: EdgeList, _ directions: UnsafePointer<SIMD3<Double>>, tangents: ForceSums?,
    gradient: AnyObject?)
}

private final class Trainable<W: PlainLanes>: TrainableImplementation where W.Scalar: BinaryFloatingPoint {
  private let weights: PackedWeights<W>
  private var parameters: [Double] = []
  private var knots: [PackedWeights<W>.RadialKnots] = []

  init(_ plan: NetworkPlan, intervals: Int) {
    weights = PackedWeights(NetworkLayout(plan, width: W.scalarCount), intervals: intervals)
  }

  func set(_ parameters: [Double]) {
    self.parameters = parameters
    weights.pack(parameters, radial: &knots)
  }

  func makeWorker() -> any TrainableWorker { WorkerPair(weights) }
  func makeGradient() -> AnyObject { WeightGradient<W>(weights.layout, intervals: weights.intervals) }

  func parameterGradient(_ gradients: [AnyObject]) -> [Double] {
    let sum = WeightGradient<W>(weights.layout, intervals: weights.intervals)
    for gradient in gradients { sum.add(gradient as! WeightGradient<W>) }
    return weights.unpack(sum, parameters: parameters, radial: knots)
  }
}

/// Evaluators of one set of weights over plain and over dual numbers.
private final class WorkerPair<W: PlainLanes>: TrainableWorker where W.Scalar: BinaryFloatingPoint {
  private let plain: NetworkEvaluator<W>
  private let dual: NetworkEvaluator<DualLanes<W>>
  private var energies = Buffer<Double>()

  init(_ weights: PackedWeights<W>) {
    plain = NetworkEvaluator(weights)
    dual = NetworkEvaluator(weights)
  }

  func evaluate(_ edges: EdgeList, forces: ForceSums) -> Double {
    let energies = energies.reserveOrEnd(edges.centreCount)
    energies.update(repeating: 0, count: edges.centreCount)
    orEnd { try plain.evaluate(.single(edges), into: .init(energies: energies, forces: forces)) }
    return (0..<edges.centreCount).reduce(0) { $0 + energies[$1] }
  }

  func differentiateEnergy(_ edges: EdgeList, weight: Double, gradient: AnyObject) {
    let gradient = gradient as! WeightGradient<W>
    gradient.reset()
    orEnd { try plain.evaluate(.single(edges), into: .init(weights: gradient, scale: weight)) }
  }

  func differentiate(
    _ edges: EdgeList, _ directions: UnsafePointer<SIMD3<Double>>, tangents: ForceSums?,
    gradient: AnyObject?
  ) {
    let gradient = gradient.map { $0 as! WeightGradient<W> }
    gradient?.reset()
    orEnd {
      try dual.evaluate(.single(edges), directions: directions, into: .init(forceTangents: tangents, weights: gradient))
    }
  }
}
