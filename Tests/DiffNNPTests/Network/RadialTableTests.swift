#if canImport(Glibc)
  import Glibc
#endif
import Testing

@testable import DiffNNP

/// The tables of radial weights against the radial network itself.
@Suite struct RadialTableTests {
  /// Of a spline's rows at x, in knot spacings.
  private func value(_ rows: [Double], _ x: Double) -> Double {
    let m = Int(x)
    let t = x - Double(m)
    return rows[4 * m] + t * (rows[4 * m + 1] + t * (rows[4 * m + 2] + t * rows[4 * m + 3]))
  }

  /// Half the spacing, a sixteenth of the error.
  @Test func splinesAreOfFourthOrder() {
    func f(_ x: Double) -> Double { cos(5 * x) * pow(max(0, 1 - x), 6) }
    let errors = [40, 80, 160].map { n -> Double in
      let rows = RadialSpline.rows(fromValues: (-3...n + 3).map { f(Double($0) / Double(n)) }, intervals: n)
      return (0..<1000).map { abs(value(rows, 0.001 * Double($0) * Double(n)) - f(0.001 * Double($0))) }.max()!
    }
    #expect(errors[2] < 1e-6)
    #expect(errors[0] / errors[1] > 13 && errors[1] / errors[2] > 13)
  }

  @Test func splinesAreSmoothAndEndInNothing() {
    let n = 12
    var random = SplitMix(seed: 41)
    let rows = RadialSpline.rows(
      fromValues: (0..<n + 7).map { _ in .random(in: -1...1, using: &random) }, intervals: n)
    for m in 0..<n {
      let (a, b, c, d) = (rows[4 * m], rows[4 * m + 1], rows[4 * m + 2], rows[4 * m + 3])
      let next = m + 1 < n ? Array(rows[4 * m + 4..<4 * m + 7]) : [0, 0, 0]
      #expect(abs(a + b + c + d - next[0]) < 1e-14)
      #expect(abs(b + 2 * c + 3 * d - next[1]) < 1e-14)
      #expect(abs(c + 3 * d - next[2]) < 1e-14)
    }
  }

  /// ⟨rows(f), g⟩ = ⟨f, pullBack(g)⟩.
  @Test func pullBackIsTheTranspose() {
    let n = 9
    var random = SplitMix(seed: 42)
    let f = (0..<n + 7).map { _ in Double.random(in: -1...1, using: &random) }
    let g = (0..<4 * n).map { _ in Double.random(in: -1...1, using: &random) }
    let left = zip(RadialSpline.rows(fromValues: f, intervals: n), g).reduce(0) { $0 + $1.0 * $1.1 }
    let right = zip(f, RadialSpline.pullBack(g, intervals: n)).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(left - right) < 1e-13)
  }

  /// Whole and broken exponents of the cutoff.
  @Test(arguments: [6, 4.5])
  func tablesFollowTheNetwork(_ exponent: Double) throws {
    let architecture = NetworkArchitecture(
      typeNames: ["A"], rMax: 5, numLayers: 2, lMax: 1, numFeatures: 3, numBasis: 8, invariantNeurons: 6,
      cutoffExponent: exponent, avgNumNeighbors: 9)
    var random = SplitMix(seed: 43)
    let parameters = try TrainableNetwork.randomParameters(architecture, readout: 1, using: &random)
    let plan = try NetworkPlan(architecture)
    let layout = NetworkLayout(plan, width: 4)
    let weights = PackedWeights<SIMD4<Double>>(layout, intervals: 400)
    var knots: [PackedWeights<SIMD4<Double>>.RadialKnots] = []
    weights.pack(parameters, radial: &knots)
    for (layer, shape) in layout.layers.enumerated() {
      let network = parameters.withUnsafeBufferPointer {
        RadialNetwork<Double>(plan, layer: layer, parameters: $0.baseAddress!)
      }
      for r in [0.3, 1.234, 2.5, 4.7, 4.999] {
        let exact = network.evaluate(r)
        for path in shape.paths {
          for c in 0..<path.channels {
            let rows = (0..<4 * weights.intervals).map {
              let place = weights.tablePlace(row: $0, channel: c, of: path, shape.radialVectors)
              return weights.tables[layer][place.vector][place.lane]
            }
            let expected = path.factor * exact[path.radialColumn + c]
            #expect(abs(value(rows, r / weights.spacing) - expected) < 3e-6)
          }
        }
      }
    }
  }
}
