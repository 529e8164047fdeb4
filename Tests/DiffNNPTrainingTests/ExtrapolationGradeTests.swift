import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// Grades of a fluid of soft spheres, learned from some of its frames.
@Suite struct ExtrapolationGradeTests {
  static let rMax = 5.0

  static func fluid(_ count: Int, seed: UInt64) throws -> Trajectory {
    try Samples.fluid(count, atoms: 30, edge: 12, rMax: rMax, seed: seed) { 20 * exp(-$0 / 0.7) }
  }

  static let known = Result { try fluid(60, seed: 1) }
  static let other = Result { try fluid(60, seed: 2) }

  static func learned(_ trajectory: Trajectory, threads: Int = 2) throws -> Potential {
    let pair = try PairTerm(
      typeCount: trajectory.typeNames.count, rMax: rMax, intervals: 5,
      free: Array(repeating: 0, count: 5 * TypePairs.count(trajectory.typeNames.count)))
    return try Potential(
      typeNames: trajectory.typeNames, energyScale: 1, terms: [pair],
      grade: ExtrapolationGrade(of: trajectory, terms: [pair].compactMap { $0 }, threads: threads))
  }

  static func grades(_ potential: Potential, _ frames: some Sequence<Frame>) throws -> [Double] {
    let calculator = Calculator(potential)
    return try frames.flatMap { try #require(try calculator.compute($0.configuration, grades: true).grades) }
  }

  static func squeezed(_ frame: Frame, by factor: Double) throws -> Frame {
    var frame = frame
    frame.cell = try Cell(vectors: frame.cell.vectors.map { factor * $0 })
    frame.positions = frame.positions.map { factor * $0 }
    return frame
  }

  @Test func tellsInsideFromOutside() throws {
    let (known, other) = (try Self.known.get(), try Self.other.get())
    let potential = try Self.learned(known)
    func largest(_ frames: some Sequence<Frame>) throws -> Double { try Self.grades(potential, frames).max()! }
    // No frame that the mean is of lies much beyond those that were held out; new ones lie rarely outside, and not far.
    #expect(try largest(known.frames) < 1.05)
    let new = try Self.grades(potential, other.frames)
    #expect(new.max()! < 1.5 && Double(new.count { $0 > 1 }) < 0.005 * Double(new.count))
    // A gas of the same spheres twice as dense, and a crowd around one atom.
    #expect(try largest(other.frames.map { try Self.squeezed($0, by: 0.8) }) > 1.5)
    var crowded = other.frames[0]
    let centre = crowded.positions[0]
    for k in 1...18 {
      let (angle, height) = (2.4 * Double(k), Double(k) / 9.5 - 1)
      let radius = (1 - height * height).squareRoot()
      crowded.positions[k] = centre + 2.5 * SIMD3(radius * cos(angle), radius * sin(angle), height)
    }
    #expect(try largest([crowded]) > 1.5)
  }

  @Test func neighboursTooNear() throws {
    let known = try Self.known.get()
    let potential = try Self.learned(known)
    let grade = try #require(potential.grade)
    var smallest = Double.infinity
    let edges = EdgeList()
    for frame in known.frames {
      try NeighbourSearch().fill(edges, frame.configuration, cutoff: Self.rMax)
      for e in 0..<edges.count { smallest = min(smallest, edges.lengths[e]) }
    }
    #expect(grade.closest == [smallest])
    // Two atoms alone at 0.4 of it.
    let cell = try Cell(orthogonal: [40, 40, 40])
    let pair = Frame(cell: cell, positions: [[0, 0, 0], [0.4 * smallest, 0, 0]], types: [0, 0])
    for grade in try Self.grades(potential, [pair]) { #expect(abs(grade - 7) < 1e-9) }
  }

  @Test func doesNotDependOnThreads() throws {
    let known = try Self.known.get()
    #expect(try Self.learned(known, threads: 1).grade == Self.learned(known, threads: 3).grade)
  }

  /// Mean and matrix against Mahalanobis' distance by its definition, for atoms of two types.
  @Test func distanceIsThatOfMahalanobis() throws {
    var trajectory = try Self.known.get()
    trajectory.typeNames = ["A", "B"]
    for k in trajectory.frames.indices { for i in 20..<30 { trajectory.frames[k].types[i] = 1 } }
    let grade = try #require(try Self.learned(trajectory).grade)
    let (surroundings, edges) = (grade.surroundings, EdgeList())
    let d = surroundings.dimension
    #expect(d == 2 * 10)
    var scratch = [Double](repeating: 0, count: grade.scratchSize)
    var samples: [[Double]] = []
    var distances: [Double] = []
    for frame in trajectory.frames {
      try NeighbourSearch().fill(edges, frame.configuration, cutoff: surroundings.rMax)
      for i in 20..<30 {
        var f = [Double](repeating: 0, count: d)
        surroundings.describe(i, edges, into: &f, &scratch)
        samples.append(f)
        distances.append(grade.distance(of: i, edges, scratch: &scratch))
      }
    }
    let n = Double(samples.count)
    let mean = (0..<d).map { k in samples.reduce(0) { $0 + $1[k] } / n }
    var covariance = QuadraticForm(count: d)
    for sample in samples {
      for k in 0..<d {
        for l in 0..<d { covariance.matrix[k * d + l] += (sample[k] - mean[k]) * (sample[l] - mean[l]) / n }
      }
    }
    for k in 0..<d { covariance.matrix[k * d + k] += 0.01 * 4 / 9 }
    let squares = try samples.map { sample -> Double in
      var system = covariance
      system.vector = (0..<d).map { sample[$0] - mean[$0] }
      return try zip(system.minimiser(), system.vector).reduce(0) { $0 + $1.0 * $1.1 }
    }
    // Proportional, by the distance at the edge.
    let edge = squares[0].squareRoot() / distances[0]
    #expect(edge > 1)
    for (square, distance) in zip(squares, distances) { #expect(abs(square.squareRoot() / edge - distance) < 1e-9) }
  }

  /// Frames that are all alike have an edge, too.
  @Test func surroundingsThatNeverVary() throws {
    let frame = try Self.known.get().frames[0]
    let potential = try Self.learned(Trajectory(typeNames: ["A"], frames: [frame, frame]))
    #expect(try Self.grades(potential, [frame]).allSatisfy { $0.isFinite && $0 <= 1.05 })
    #expect(try Self.grades(potential, [Self.squeezed(frame, by: 0.8)]).max()! > 1.5)
  }
}
