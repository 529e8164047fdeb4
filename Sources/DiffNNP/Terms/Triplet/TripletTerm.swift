/// A three-body term, linear in its coefficients: E_i = Σ_{l,p≤q} c_{a,l,pq} B_{l,pq} for a centre i of type a, with
/// the functions B of `TripletBasis`. Energies in units of kT (multiply by the potential's `energyScale`).
public struct TripletTerm: Equatable, Sendable {
  /// The functions B that the energy is linear in.
  public let basis: TripletBasis
  /// c [type][l][p ≤ q].
  public let coefficients: [Double]
  /// (c + cᵀ) / (2l + 1) of each type and two channels [type][p][q], with l side by side: E = ½ Σ A C A, dE/dA = C A.
  private let matrices: [SIMD4<Double>]

  /// A three-body term from its coefficients [type][l][p ≤ q].
  /// - Throws: where the number of coefficients is not that of the basis.
  public init(_ basis: TripletBasis, coefficients: [Double]) throws {
    guard coefficients.count == basis.count else {
      throw DiffNNPError("triplets: \(coefficients.count) coefficients, expected \(basis.count)")
    }
    self.basis = basis
    self.coefficients = coefficients
    let d = basis.channelCount
    var matrices = Array(repeating: SIMD4<Double>.zero, count: basis.typeCount * d * d)
    var k = 0
    for type in 0..<basis.typeCount {
      for l in 0...basis.lMax {
        for p in 0..<d {
          for q in p..<d {
            matrices[(type * d + p) * d + q][l] += coefficients[k] / Double(2 * l + 1)
            matrices[(type * d + q) * d + p][l] += coefficients[k] / Double(2 * l + 1)
            k += 1
          }
        }
      }
    }
    self.matrices = matrices
  }

  /// Adds the energies of some centres and the forces that follow from them, times `scale`.
  func add(
    _ edges: EdgeList, centres: Range<Int>, scale: Double, energies: UnsafeMutablePointer<Double>,
    forces: ForceSums, scratch: inout TripletScratch
  ) throws {
    func add<Degree: TripletDegree>(_: Degree.Type, _ scratch: inout TripletScratch) throws {
      try matrices.withUnsafeBufferPointer {
        try TripletKernel<Degree>(basis, $0.baseAddress!, EdgePointers(edges), scale: scale, forces)
          .add(centres, energies: energies, scratch: &scratch)
      }
    }
    switch basis.lMax {
    case 0: try add(TripletDegree0.self, &scratch)
    case 1: try add(TripletDegree1.self, &scratch)
    case 2: try add(TripletDegree2.self, &scratch)
    default: try add(TripletDegree3.self, &scratch)
    }
  }
}
