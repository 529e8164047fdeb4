import DiffNNP
import DiffNNPTraining
import Testing

/// The objective where the score is known: a harmonic well about the origin, s = -k x.
@Suite struct HeldOutObjectiveTests {
  static let stiffness = 5.0

  /// For x ~ N(0, 1/k): E[½|s|² + div s] = -3k/2 for an atom where the model has the same k.
  static func objective(modelStiffness k: Double, sigma: Double, frames: Int) throws -> Double {
    let objective = try HeldOutObjective(temperature: 300, sigma: sigma)
    let cell = try Cell(orthogonal: [100, 100, 100])
    var sum = 0.0
    for frame in 0..<frames {
      var random = Philox(seed: 5, purpose: .candidates, frame: frame)
      let positions = (0..<10).map { _ in random.normal3() / stiffness.squareRoot() }
      let configuration = Configuration(cell: cell, positions: positions, types: Array(repeating: 0, count: 10))
      sum += objective.estimate(configuration, frame: frame) { noised in
        noised.positions.map { -k * objective.thermalEnergy * $0 }
      }
    }
    return sum / Double(frames)
  }

  @Test(arguments: [2.5, 5, 10])
  func isThatOfTheWell(_ k: Double) throws {
    // ½ k² E|x|² - 3k; its standard error over 2000 frames of 10 atoms is below 1 %.
    let expected = 1.5 * k * k / Self.stiffness - 3 * k
    #expect(abs(try Self.objective(modelStiffness: k, sigma: 0.01, frames: 2000) - expected) < 0.02 * 3 * k)
  }

  @Test func isSmallestForTheTruth() throws {
    let values = try [4, 5, 6].map { try Self.objective(modelStiffness: $0, sigma: 0.01, frames: 2000) }
    #expect(values[1] < values[0] && values[1] < values[2])
  }

  /// With frames that stay the same, only noise scatters; twenty draws leave less of it than one.
  @Test func drawsMakeItLessNoisy() throws {
    let configuration = Configuration(
      cell: try Cell(orthogonal: [100, 100, 100]), positions: [[0.1, 0.2, 0.3], [1, 1, 1]], types: [0, 0])
    func scatter(draws: Int) throws -> Double {
      let objective = try HeldOutObjective(temperature: 300, draws: draws)
      let values = (0..<200).map { frame in
        objective.estimate(configuration, frame: frame) { noised in
          noised.positions.map { -Self.stiffness * objective.thermalEnergy * $0 }
        }
      }
      let mean = values.reduce(0, +) / 200
      return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 199).squareRoot()
    }
    let ratio = try scatter(draws: 1) / scatter(draws: 20)
    #expect(abs(ratio - 20.squareRoot()) < 1.5)
  }

  @Test func isReproducible() throws {
    let value = try Self.objective(modelStiffness: 5, sigma: 0.02, frames: 3)
    #expect(try Self.objective(modelStiffness: 5, sigma: 0.02, frames: 3) == value)
  }

  @Test(arguments: [(0, 0.01), (-3, 0.01), (300, 0), (.nan, 0.01), (300, .infinity)])
  func refuses(_ temperature: Double, _ sigma: Double) {
    #expect(throws: DiffNNPError.self) { try HeldOutObjective(temperature: temperature, sigma: sigma) }
  }
}
