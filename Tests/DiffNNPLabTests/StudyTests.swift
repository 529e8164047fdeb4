import DiffNNP
import DiffNNPAnalysis
import DiffNNPFrames
import Testing

@testable import DiffNNPLab

@Suite struct StudyTests {
  private func summary(_ frameCount: Int, _ values: [Double], row: String = "a") -> StudySummary {
    let records = values.enumerated().map { k, value in
      StudyRecord(
        key: .init(system: "s", row: row, frameCount: frameCount, replica: k + 1), settings: "",
        measures: [Measure("error.AA", value), Measure("error.AB", 3 * value)], distribution: nil, angles: nil,
        failure: nil)
    }
    return StudySummary(system: "s", row: row, frameCount: frameCount, records: records)
  }

  /// 6 frames of 10 + 14 atoms anywhere in a cell of 11 × 12 × 13 Å.
  private static func randomTrajectory() throws -> Trajectory {
    let cell = try Cell(orthogonal: [11, 12, 13])
    let types = Array(repeating: 0, count: 10) + Array(repeating: 1, count: 14)
    let frames = (0..<6).map { k in
      var random = Philox(seed: 1, purpose: .noise, frame: k)
      let positions = types.map { _ in
        cell.cartesian([random.uniform(), random.uniform(), random.uniform()])
      }
      return Frame(cell: cell, positions: positions, types: types)
    }
    return Trajectory(typeNames: ["A", "B"], frames: frames)
  }

  @Test func meansAndErrorsOverReplicas() throws {
    let mean = try #require(summary(100, [1, 2, 3]).mean("error.AA"))
    // The standard deviation is 1; c4(3) = √π/2.
    #expect(abs(mean.value - 2) < 1e-12 && abs(mean.error - 1 / 3.0.squareRoot() * 2 / Double.pi.squareRoot()) < 1e-12)
    #expect(summary(100, [1, 2, 3]).mean("error")?.value == 4)
    #expect(summary(100, [1]).mean("none") == nil)
  }

  /// An error that falls as 1/√N, and a target of a tenth of that of one frame: 100 frames.
  @Test func framesNeededOfASquareRoot() throws {
    let curve = [16, 64, 256].map { summary($0, [1 / Double($0).squareRoot()]) }
    let needed = FramesNeeded(curve, toMatch: summary(1000, [0.1], row: "b"), measure: "error.AA")
    #expect(abs(try #require(needed.frames) - 100) < 1e-9)
    #expect(needed.lower == needed.frames && needed.upper == needed.frames)
  }

  @Test func framesNeededBeyondWhatWasTried() {
    let curve = [16, 64].map { summary($0, [1 / Double($0).squareRoot()]) }
    #expect(FramesNeeded(curve, toMatch: summary(9, [0.01]), measure: "error.AA").frames == nil)
    #expect(FramesNeeded(curve, toMatch: summary(9, [0.9]), measure: "error.AA").frames == 16)
  }

  /// The interval holds the truth, and is wide where replicas scatter.
  @Test func framesNeededWithScatter() throws {
    let curve = [16, 64, 256].map { n in summary(n, [0.8, 1.0, 1.2].map { $0 / Double(n).squareRoot() }) }
    let needed = FramesNeeded(curve, toMatch: summary(9, [0.1]), measure: "error.AA")
    let (lower, upper) = (try #require(needed.lower), try #require(needed.upper))
    #expect(lower < 85 && upper > 115 && lower > 40 && upper < 200)
  }

  @Test func recordsAreReadAsWritten() throws {
    let trajectory = try Self.randomTrajectory()
    let g = try RadialDistribution(trajectory, rMax: 4, binWidth: 0.5)
    let angles = try AngleDistribution(trajectory, radius: 4)
    let record = StudyRecord(
      key: .init(system: "s", row: "a", frameCount: 6, replica: 2), settings: "x 1", measures: [Measure("m.AB", 0.25)],
      distribution: g, angles: angles, failure: "hot")
    let read = try StudyRecord(record.json)
    #expect(read.key == record.key && read.settings == "x 1" && read.failure == "hot" && read.value("m.AB") == 0.25)
    #expect(read.angles?.triples == angles.triples)
    for (a, b) in zip(try #require(read.distribution).values.joined(), g.values.joined()) { #expect(abs(a - b) < 1e-4) }
  }

  /// Nothing within 1 Å, and twice as many as without correlation up to 2 Å.
  @Test func recordsKnowTheirKirkwoodBuffIntegrals() throws {
    let g = (0..<200).map { $0 < 20 ? 0.0 : $0 < 40 ? 2 : 1 }
    let curve = RadialDistribution(typeNames: ["A"], binWidth: 0.05, values: [g])
    let record = StudyRecord(
      key: .init(system: "s", row: "a", frameCount: 1, replica: 1), settings: "", measures: [], distribution: curve,
      angles: nil, failure: nil)
    #expect(record.value("kirkwood_buff.AA") == curve.kirkwoodBuffIntegral(TypePair(0, 0), within: 10))
    #expect(record.value("kirkwood_buff.AB") == nil)
  }

  /// Against itself a structure has no error, and its shells hold what was counted.
  @Test func measuresOfAStructure() throws {
    let trajectory = try Self.randomTrajectory()
    let comparison = StructureComparison(
      reference: try RadialDistribution(trajectory, rMax: 5, binWidth: 0.05),
      angleReference: try AngleDistribution(trajectory, radius: 4), angleRadius: 4, shells: ["AB": [2, 4]],
      hasTetrahedralOrder: true)
    let structure = try StructureMeasures([trajectory], comparison)
    func value(_ name: String) throws -> Double { try #require(structure.measures.first { $0.name == name }?.value) }
    for pair in ["AA", "AB", "BB"] { #expect(try value("rdf_mae.\(pair)") == 0) }
    #expect(try value("angle_jsd.B-A-B") == 0)
    let inner = try #require(structure.distribution.coordinationNumber(of: 1, around: 0, within: 2))
    #expect(try value("coordination1.AB") == inner)
    #expect(try value("coordination2.AB") > inner)
    #expect(try value("tetrahedral_order") < 0.5)
  }
}
