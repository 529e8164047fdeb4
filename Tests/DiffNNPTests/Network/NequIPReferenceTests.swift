import Testing

@testable import DiffNNP
@testable import DiffNNPFrames

/// Energies and forces of models evaluated by nequip itself in double precision.
@Suite struct NequIPReferenceTests {
  /// Random-weight models of every kind, made with nequip 0.5.6 and e3nn 0.4.4.
  static let randomModels = [
    "l0", "l1-2layers", "l1-parity-1layer", "l1-smallcell", "l2-3layers", "l2-parity", "l3-2layers",
  ].map { fixture("nequip-random/\($0)") }

  @Test(arguments: randomModels)
  func doublePrecisionAgrees(_ folder: String) throws {
    try compare(folder, .double, energyTolerance: 1e-9, forceTolerance: 1e-9)
  }

  @Test(arguments: randomModels)
  func singlePrecisionAgrees(_ folder: String) throws {
    try compare(folder, .single, energyTolerance: 1e-5, forceTolerance: 1e-5)
  }

  /// A published model (MIT, timduignan/Scalable-Electrolyte-Simulation), where it has been put beside the checkout.
  /// Its Clebsch–Gordan tables are single precision.
  @Test(.enabled(if: fileExists(publishedModel), "the published LiCl model is not beside the checkout"))
  func publishedModelAgrees() throws {
    try compare(publishedModel, .double, energyTolerance: 1e-6, forceTolerance: 1e-6)
    try compare(publishedModel, .single, energyTolerance: 1e-5, forceTolerance: 1e-5)
  }

  private func compare(
    _ folder: String, _ precision: Precision, energyTolerance: Double, forceTolerance: Double
  ) throws {
    let network = try Network(nequip: SafetensorsFile(path: folder + "/weights.safetensors"))
    let names = network.architecture.typeNames
    let potential = try Potential(typeNames: names, energyScale: 1, terms: [network])
    let evaluator = Evaluator(potential, precision: precision)
    let archive = try ZipArchive(path: folder + "/reference.npz")
    func array(_ name: String) throws -> NPYArray {
      try #require(try archive.array(name))
    }
    let (energies, atomEnergies, forces) = (try array("E"), try array("atomic_energy"), try array("F"))
    let trajectory = try Trajectory.read(path: folder + "/reference.npz", .init(species: names))

    for (k, frame) in trajectory.frames.enumerated() {
      let n = frame.positions.count
      let edges = EdgeList()
      try NeighbourSearch().fill(edges, frame.configuration, cutoff: potential.rMax)
      var atom = [Double](repeating: 0, count: n)
      var force = [Double](repeating: 0, count: 3 * n)
      let energy = atom.withUnsafeMutableBufferPointer { atom in
        force.withUnsafeMutableBufferPointer { force in
          evaluator.compute(edges, into: .init(atomEnergies: atom.baseAddress!, forces: force.baseAddress!))
        }
      }
      let forceSize = rms((0..<3 * n).map { forces.double(k * 3 * n + $0) })
      let forceError = (0..<3 * n).map { abs(force[$0] - forces.double(k * 3 * n + $0)) }.max()!
      let atomSize = rms((0..<n).map { atomEnergies.double(k * n + $0) })
      let atomError = (0..<n).map { abs(atom[$0] - atomEnergies.double(k * n + $0)) }.max()!
      #expect(abs(energy - energies.double(k)) <= energyTolerance * abs(energies.double(k)))
      #expect(atomError <= energyTolerance * atomSize)
      #expect(forceError <= forceTolerance * forceSize)
    }
  }

  private func rms(_ x: [Double]) -> Double { (x.reduce(0) { $0 + $1 * $1 } / Double(x.count)).squareRoot() }
}
