import DiffNNP
import Testing

@testable import DiffNNPFrames

/// What frames say together: distances, order, and cells.
@Suite struct FrameCheckTests {
  /// A jittered crystal of 8 atoms, `spacing` apart.
  private static func frame(_ k: Int, spacing: Double = 3, key: String = "") -> String {
    var random = Philox(seed: 3, purpose: .noise, frame: k)
    let edge = 2 * spacing
    var text = "8\nLattice=\"\(edge) 0 0 0 \(edge) 0 0 0 \(edge)\" \(key)\n"
    for site in 0..<8 {
      let x = spacing * (SIMD3(Double(site & 1), Double(site >> 1 & 1), Double(site >> 2)) + 0.1 * random.normal3())
      text += "Ar \(x.x) \(x.y) \(x.z)\n"
    }
    return text
  }

  private func warnings(_ text: String, repeats: Bool = false) throws -> [String] {
    var selection = TrajectorySelection()
    selection.leavesOutRepeats = !repeats
    var warnings: [String] = []
    try withFile(text.utf8) { warnings = try Trajectory.read(path: $0, selection).report.warnings }
    return warnings
  }

  // MARK: Distances

  @Test func refusesLengthsInNanometres() throws {
    let text = (0..<3).map { Self.frame($0, spacing: 0.3) }.joined()
    try withFile(text.utf8) { path in
      let message = readingError(path)
      #expect(message.contains("most atoms have a neighbour closer than 0.6 Å"), "\(message)")
      #expect(message.contains("10 times too small, as lengths in nm are") && !message.contains("\n"), "\(message)")
      var selection = TrajectorySelection()
      selection.units = try FileUnits(names: ["nano"])
      let frame = try Trajectory.read(path: path, selection).frames[0]
      #expect(abs(frame.cell.volume - 216) < 1e-9)
    }
  }

  /// One pair in ten frames may be an accident.
  @Test func warnsOfDistancesNoAtomsHave() throws {
    let text = (0..<10).map { Self.frame($0) }.joined()
    #expect(try warnings(text).isEmpty)
    let close = "2\nLattice=\"9 0 0 0 9 0 0 0 9\"\nAr 8.9 1 1\nAr 0.15 1 1\n"
    let found = try warnings(text + close)
    #expect(found.count == 1 && found[0].hasPrefix("atoms 1 and 2 of frame 10 are 0.25 Å apart"), "\(found)")
    #expect(found[0].contains("10 times too small") && !found[0].contains("0.529"), "\(found)")
    let near = try warnings(text + close.replacing("0.15", with: "0.35"))
    #expect(near.count == 1 && near[0].contains("or by 0.529"), "\(near)")
    #expect(try warnings(text + close.replacing("0.15", with: "0.5")).isEmpty)
  }

  /// Atoms alone in a cell, however small that is, have no neighbours.
  @Test func leavesLonelyAtomsAlone() throws {
    #expect(try warnings("1\nLattice=\"0.3 0 0 0 0.3 0 0 0 0.3\"\nAr 0 0 0\n").isEmpty)
  }

  @Test func warnsOfHydrogenWithoutBonds() throws {
    func water(_ bond: Double) -> String {
      "3\nLattice=\"9 0 0 0 9 0 0 0 9\"\nO 1 1 1\nH \(1 + bond) 1 1\nH 1 \(1 + bond) 1\n"
    }
    #expect(try warnings(water(0.96)).isEmpty)
    let found = try warnings(water(0.96 / 0.529))
    #expect(found.count == 1 && found[0].contains("as where lengths in Bohr are taken for Å"), "\(found)")
  }

  // MARK: Order

  @Test func leavesOutExactRepeats() throws {
    let frames = (0..<4).map { Self.frame($0, key: "Time=\($0)") }
    // An overlapping restart.
    let text = (frames + frames[2...] + [Self.frame(4, key: "Time=4")]).joined()
    #expect(try warnings(text) == ["2 frames left out, which are there before, equal in all digits"])
    var selection = TrajectorySelection()
    selection.leavesOutRepeats = true
    try withFile(text.utf8) { path in
      let different = try Trajectory.read(path: path, selection)
      #expect(different.frames.map(\.number) == [0, 1, 2, 3, 6])
      // A verb that says something of each frame has all.
      let all = try Trajectory.read(path: path)
      #expect(all.frames.count == 7)
    }
    let kept = try warnings(text, repeats: true)
    #expect(kept[0].hasPrefix("frames are not in order of time: frame 4 has time 2 after 3"), "\(kept)")
    try withFile(String(repeating: frames[0], count: 20).utf8) { path in
      let alike = try Trajectory.read(path: path, selection)
      #expect(alike.frames.count == 20 && alike.report.areAllAlike && alike.report.warnings.isEmpty)
    }
    try withFile(frames[0].utf8) { path in
      let one = try Trajectory.read(path: path, selection)
      #expect(!one.report.areAllAlike)
    }
  }

  @Test(arguments: [
    ([0, 1, 2, 3], nil), ([0, 10, 2, 3], "frame 2 has step 2 after 10; error bars"),
    ([0, 1, 1, 2], "frame 2 has step 1 after 1; error bars"),
    ([5, 4, 3, 6], "frame 1 has step 4 after 5, and so at 1 more places; error bars"),
    ([7, 7, 7, 7], "all frames have step 7"),
  ])
  func saysWhereOrderIsBroken(_ steps: [Int], _ reason: String?) throws {
    let text = steps.enumerated().map { Self.frame($0, key: "Step=\($1) Time=0.5") }.joined()
    let found = try warnings(text)
    #expect(found.count == (reason == nil ? 0 : 1) && found.allSatisfy { $0.contains(reason ?? "") }, "\(found)")
    var dump = ""
    for (k, step) in steps.enumerated() {
      dump += LAMMPSDumpTests.dump("1 1 0 0 0\n2 1 1 1 \(1 + 0.1 * Double(k))").replacing(
        "ITEM: TIMESTEP\n0", with: "ITEM: TIMESTEP\n\(step)")
    }
    let ofDump = try warnings(dump)
    #expect(ofDump == found.map { $0.replacing("step", with: "TIMESTEP") }, "\(ofDump)")
  }

  // MARK: Cells

  @Test func reducesSkewedCells() throws {
    let a: [SIMD3<Double>] = [[6, 0, 0], [0.5, 7, 0], [-1, 0.5, 8]]
    let skewed = [a[0], a[1] + 3 * a[0], a[2] - 2 * a[1] + 5 * a[0]]
    var reduction = CellReduction()
    let reduced = try reduction.apply(to: Cell(vectors: skewed))
    #expect(zip(reduced.vectors, a).allSatisfy { length($0 - $1) < 1e-12 })
    // Those that fluctuate about half a tilt stay with one choice, and reduced ones as they are.
    for tilt in stride(from: 2.9, through: 3.1, by: 0.01) {
      let cell = try Cell(vectors: [[6, 0, 0], [tilt, 7, 0], [0, 0, 8]])
      var own = CellReduction()
      #expect(try own.apply(to: cell) == cell)
    }
    // Vectors along which nothing repeats belong to no lattice.
    let slab = try Cell(vectors: skewed, periodic: [true, false, true])
    let short = try reduction.apply(to: slab)
    #expect(short.vectors[1] == skewed[1] && short.periodic == slab.periodic)
  }

  /// The lattice stays: each vector of one is a whole combination of the other's.
  @Test func keepsTheLattice() throws {
    var random = Philox(seed: 9, purpose: .noise, frame: 0)
    for _ in 0..<200 {
      let cell = try Cell(vectors: (0..<3).map { _ in 10 * random.normal3() })
      var reduction = CellReduction()
      let reduced = try reduction.apply(to: cell)
      #expect(abs(reduced.volume / cell.volume - 1) < 1e-9)
      for vector in reduced.vectors {
        let n = cell.fractional(vector)
        #expect(length(n - n.rounded(.toNearestOrEven)) < 1e-6)
      }
      // No shorter combination of two vectors is left, where anything was done.
      #expect(reduced.heights.min() >= 0.97 * cell.heights.min())
    }
  }
}
