import DiffNNP
import Testing

@testable import DiffNNPFrames

/// Against files written by ASE: see Fixtures/make_ase.py.
@Suite struct ExtendedXYZTests {
  @Test(arguments: ["ase.xyz", "ase.xyz.gz", "ase_columns.xyz"])
  func readsFilesOfASE(_ name: String) throws {
    let trajectory = try Trajectory.read(path: fixture(name))
    #expect(trajectory.typeNames == ["Li", "Cl"])
    #expect(trajectory.frames.count == 3)
    for (k, frame) in trajectory.frames.enumerated() {
      #expect(frame.types == [0, 0, 1])
      let vectors = NPZTests.vectors.map { Double(1 + k) * $0 }
      #expect(frame.cell == (try Cell(vectors: vectors, periodic: [true, false, true])))
      #expect(frame.positions == (0..<3).map { NPZTests.position(k, $0) })
      #expect(frame.forces == (0..<3).map { -NPZTests.position(k, $0) / 8 })
    }
  }

  @Test func selectsFramesAndSpecies() throws {
    let selection = try TrajectorySelection(species: ["Cl"], slice: "-1:")
    let last = try Trajectory.read(path: fixture("ase.xyz.gz"), selection)
    #expect(last.frames.map(\.positions) == [[NPZTests.position(2, 2)]])
    let every = try Trajectory.read(path: fixture("ase.xyz"), TrajectorySelection(slice: "::2"))
    #expect(every.frames.map { $0.positions[0] } == [NPZTests.position(0, 0), NPZTests.position(2, 0)])
  }

  @Test func readsColumnsInAnyOrder() throws {
    let text = """
      2
      pbc=[1 0 1] free text Properties=forces:R:3:charge:R:1:pos:R:3:Z:I:1 Lattice='9 0 0 0 9 0 0 0 9'
      1 2 3 -1 4 5 6 17
      \t4 5 6 -1   1e0 2 3.  3\r

      """
    try withFile(text.utf8) { path in
      let trajectory = try Trajectory.read(path: path)
      #expect(trajectory.typeNames == ["Cl", "Li"])
      #expect(trajectory.frames[0].positions == [[4, 5, 6], [1, 2, 3]])
      #expect(trajectory.frames[0].forces == [[1, 2, 3], [4, 5, 6]])
      #expect(trajectory.frames[0].cell == (try Cell(orthogonal: [9, 9, 9], periodic: [true, false, true])))
    }
  }

  @Test func allowsFramesOfDifferentAtoms() throws {
    let text = """
      1
      Lattice="9 0 0 0 9 0 0 0 9"
      Cl 0 0 0
      2
      Lattice="9 0 0 0 9 0 0 0 9"
      Li 0 0 0
      Cl 1 0 0

      """
    try withFile(text.utf8) { path in
      let trajectory = try Trajectory.read(path: path)
      #expect(trajectory.typeNames == ["Cl", "Li"])
      #expect(trajectory.frames.map(\.types) == [[0], [1, 0]])
    }
  }

  static let lattice = "Lattice=\"9 0 0 0 9 0 0 0 9\""

  @Test(arguments: [
    ("1\n\nLi 0 0 0\n", ":2: the frame has no cell"),
    ("1\nProperties=species:S:1:pos:R:3\nLi 0 0 0\n", ":2: the frame has no cell"),
    ("1\nLattice=\"9 0 0 0 9 0\"\nLi 0 0 0\n", ":2: Lattice must be nine numbers"),
    ("1\nLattice=\"9 0 0 0 9 0 9 9 0\"\nLi 0 0 0\n", ":2: degenerate cell"),
    ("1\nLattice=\"9 0 0 0 9 0 0 0 nan\"\nLi 0 0 0\n", ":2: degenerate cell"),
    ("1\nLattice=\"9 0 0\nLi 0 0 0\n", ":2: the value of Lattice has no end"),
    ("1\n\(lattice) pbc=\"T T\"\nLi 0 0 0\n", ":2: pbc"),
    ("1\n\(lattice) Properties=species:S:1\nLi 0 0 0\n", ":2: Properties must have"),
    ("1\n\(lattice) Properties=species:S:1:pos:R\nLi 0 0 0\n", ":2: Properties must be"),
    ("1\n\(lattice) Properties=pos:R:3:Z:I:1\n0 0 0 170\n", ":3: 170 is no element"),
    ("1\n\(lattice)\nLi 0 nan 0\n", ":3: expected a finite number, found \"nan\""),
    ("1\n\(lattice)\nLi 0 0 0x\n", ":3: expected a finite number, found \"0x\""),
    ("1\n\(lattice)\nLi 0 1e999 0\n", ":3: expected a finite number"),
    ("1\n\(lattice)\nLi 0 0\n", ":3: an atom's line with 3 columns, expected 4"),
    ("2\n\(lattice)\nLi 0 0 0\n2\n\(lattice)\n", ":4: an atom's line with 1 columns"),
    ("2\n\(lattice)\nLi 0 0 0\n", ":3: the file ends within frame 0"),
    ("1\n", ":1: the file ends within frame 0"),
    ("2\n\(lattice)\nLi 0 0 0\nCl 9 0 9\n", "are in one place"),
    ("0\n\(lattice)\n", "the frame has no atoms"),
    ("99999999999999999999\n\(lattice)\n", "begins with"),
    ("9999999999\n\(lattice)\n", ":1: expected the number of atoms"),
    ("1 x\n\(lattice)\n", ":1: expected the number of atoms"),
    ("", "empty"), ("\n\n", "no frames"), ("hello\n", "begins with \"hello\""),
  ])
  func refuses(_ text: String, _ reason: String) throws {
    try withFile(text.utf8) { path in
      let message = readingError(path)
      #expect(message.hasPrefix(path) && message.contains(reason) && !message.contains("\n"), "\(message)")
    }
  }

  @Test func refusesNamesForTypes() {
    #expect(readingError(fixture("ase.xyz"), TrajectorySelection(typeNames: ["A"])).contains("leave out"))
  }

  @Test func noticesTruncatedArchives() throws {
    let whole = try contents(fixture("ase.xyz.gz"))
    for length in [20, whole.count / 2, whole.count - 4] {
      try withFile(whole[..<length]) { #expect(readingError($0) != "no error", "\(length) of \(whole.count) bytes") }
    }
  }

  @Test func refusesLinesWithoutEnd() throws {
    try withFile([UInt8](repeating: UInt8(ascii: "1"), count: 1 << 25)) { path in
      #expect(readingError(path).contains("too long"))
    }
  }

  @Test func writesWhatItReads() throws {
    let trajectory = try Trajectory.read(path: fixture("ase.xyz"))
    try withFile([]) { path in
      let writer = try ExtendedXYZWriter(path: path)
      for frame in trajectory.frames { try writer.write(frame, typeNames: trajectory.typeNames, energy: -1.5) }
      try writer.commit()
      let copy = try Trajectory.read(path: path)
      #expect(copy.typeNames == trajectory.typeNames)
      for (a, b) in zip(copy.frames, trajectory.frames) {
        #expect(a.cell == b.cell && a.positions == b.positions && a.types == b.types && a.forces == b.forces)
      }
      #expect(String(decoding: try contents(path), as: UTF8.self).contains(" energy=-1.5 "))
    }
  }
}
