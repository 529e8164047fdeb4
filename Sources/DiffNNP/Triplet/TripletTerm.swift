/// A three-body term, linear in its coefficients: E_i = Σ_{l,p≤q} c_{a,l,pq} B_{l,pq} for a centre i of type a, with the
/// functions B of `TripletBasis`. Energies in units of kT (multiply by the potential's `energyScale`).
public struct TripletTerm: Equatable, Sendable {
  public let basis: TripletBasis
  /// c [type][l][p ≤ q].
  public let coefficients: [Double]
  /// (c + cᵀ) of each type and l as whole matrices [type][l][p][q]: E = ½ Σ A C A / (2l + 1), dE/dA = C A / (2l + 1).
  private let matrices: [Double]

  public init(_ basis: TripletBasis, coefficients: [Double]) throws {
    guard coefficients.count == basis.count else {
      throw DiffNNPError("triplets: \(coefficients.count) coefficients, expected \(basis.count)")
    }
    self.basis = basis
    self.coefficients = coefficients
    let d = basis.channelCount
    var matrices: [Double] = []
    var k = 0
    for _ in 0..<basis.typeCount {
      for l in 0...basis.lMax {
        var matrix = Array(repeating: 0.0, count: d * d)
        for p in 0..<d {
          for q in p..<d {
            matrix[p * d + q] += coefficients[k] / Double(2 * l + 1)
            matrix[q * d + p] += coefficients[k] / Double(2 * l + 1)
            k += 1
          }
        }
        matrices += matrix
      }
    }
    self.matrices = matrices
  }

  /// Numbers that `add` needs room for.
  var scratchSize: Int { 2 * basis.momentCount + 2 * basis.harmonicCount }

  /// Adds the energies of some centres and the forces that follow from them, times `scale`.
  /// - Parameter scratch: room for `scratchSize` numbers.
  func add(
    _ edges: EdgeList, centres: Range<Int>, scale: Double, energies: UnsafeMutablePointer<Double>,
    forces: ForceSums, scratch: UnsafeMutablePointer<Double>
  ) {
    let slopes = scratch + basis.momentCount
    let y = slopes + basis.momentCount
    matrices.withUnsafeBufferPointer { matrices in
      for i in centres {
        basis.describe(i, edges, into: scratch, y)
        let matrix =
          matrices.baseAddress! + Int(edges.types[i]) * (basis.lMax + 1) * basis.channelCount * basis.channelCount
        energies[i] += scale * contract(matrix, scratch, into: slopes)
        pullBack(edges, i, slopes, scale: scale, y, y + basis.harmonicCount, forces)
      }
    }
  }

  /// Writes dE/dA and returns E.
  private func contract(
    _ matrices: UnsafePointer<Double>, _ moments: UnsafePointer<Double>, into slopes: UnsafeMutablePointer<Double>
  ) -> Double {
    let d = basis.channelCount
    var twice = 0.0
    var (row, to, matrix) = (moments, slopes, matrices)
    for l in 0...basis.lMax {
      for _ in 0..<(2 * l + 1) {
        for q in 0..<d { to[q] = 0 }
        for p in 0..<d {
          let (left, from) = (row[p], matrix + p * d)
          for q in 0..<d { to[q] += left * from[q] }
        }
        for q in 0..<d { twice += to[q] * row[q] }
        row += d
        to += d
      }
      matrix += d * d
    }
    return 0.5 * twice
  }

  /// Takes dE/dA of a centre to the forces on it and its neighbours.
  private func pullBack(
    _ edges: EdgeList, _ i: Int, _ slopes: UnsafePointer<Double>, scale: Double, _ y: UnsafeMutablePointer<Double>,
    _ g: UnsafeMutablePointer<Double>, _ forces: ForceSums
  ) {
    var force = SIMD3<Double>.zero
    for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.lengths[e] < basis.rMax {
      let (r, vector, j) = (edges.lengths[e], edges.vectors[e], Int(edges.neighbours[e]))
      let neighbour = basis.neighbour(of: Int(edges.types[i]), type: Int(edges.types[j]), at: r)
      basis.harmonics(vector, r, into: y)
      var radial = 0.0
      var row = slopes + neighbour.channel
      for lm in 0..<basis.harmonicCount {
        var (value, slope) = (0.0, 0.0)
        for n in 0..<neighbour.width {
          value += neighbour.values[n] * row[n]
          slope += neighbour.slopes[n] * row[n]
        }
        g[lm] = value
        radial += slope * y[lm]
        row += basis.channelCount
      }
      let unit = vector / r
      let (gx, gy, gz) = SphericalHarmonics.pullBack(
        basis.lMax, unit.x, unit.y, unit.z, y, g, inverseLength: 1 / r)
      let gradient = scale * (SIMD3(gx, gy, gz) + radial * unit)
      force += gradient
      forces.add(gradient, vector, from: i, to: j)
    }
    forces.addForce(force, toCentre: i)
  }
}
