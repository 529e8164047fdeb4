import Testing

@testable import DiffNNP

/// Forces and virial against central differences of the energy: one harness for every term.
///
/// With steps of 1e-5 Å, rounding and truncation leave errors of some 1e-10: the tolerance √ε lies well above.
enum FiniteDifferences {
  static let step = 1e-5
  static let tolerance = Double.ulpOfOne.squareRoot()

  /// Moves all atoms at once, along random directions.
  static func checkForces(
    _ evaluator: Evaluator, _ configuration: Configuration, directions: Int = 2,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try evaluator.evaluate(configuration)
    var random = SplitMix(seed: 17)
    for _ in 0..<directions {
      let direction = configuration.positions.map { _ in random.vector() }
      let slope = try slope(evaluator) { step in
        var moved = configuration
        for i in direction.indices { moved.positions[i] += step * direction[i] }
        return moved
      }
      let expected = -zip(result.forces, direction).reduce(0) { $0 + dot($1.0, $1.1) }
      #expect(abs(slope - expected) < tolerance * max(1, result.largestForce), sourceLocation: sourceLocation)
    }
  }

  /// Strains positions and cell: x → (1 + ε) x, dU = -Σ W ε. A random ε, rotations included.
  static func checkVirial(
    _ evaluator: Evaluator, _ configuration: Configuration, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try evaluator.evaluate(configuration)
    var random = SplitMix(seed: 19)
    let strain = [random.vector(), random.vector(), random.vector()]
    let slope = try slope(evaluator) { step in
      func strained(_ x: SIMD3<Double>) -> SIMD3<Double> {
        x + step * SIMD3(dot(strain[0], x), dot(strain[1], x), dot(strain[2], x))
      }
      let cell = configuration.cell
      return Configuration(
        cell: try Cell(vectors: cell.vectors.map(strained), periodic: cell.periodic),
        positions: configuration.positions.map(strained), types: configuration.types)
    }
    let w = result.virial
    let expected =
      -(w[0] * strain[0].x + w[1] * strain[1].y + w[2] * strain[2].z + w[3] * (strain[0].y + strain[1].x)
      + w[4] * (strain[0].z + strain[2].x) + w[5] * (strain[1].z + strain[2].y))
    let size = w.map(abs).max()!
    #expect(abs(slope - expected) < tolerance * max(1, size), sourceLocation: sourceLocation)
  }

  private static func slope(_ evaluator: Evaluator, _ moved: (Double) throws -> Configuration) throws -> Double {
    let (up, down) = (try evaluator.evaluate(moved(step)).energy, try evaluator.evaluate(moved(-step)).energy)
    return (up - down) / (2 * step)
  }
}
