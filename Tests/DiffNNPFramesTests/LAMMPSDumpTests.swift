import DiffNNP
import Testing

@testable import DiffNNPFrames

/// Against dumps written by LAMMPS: see Fixtures/make_lammps.sh.
@Suite struct LAMMPSDumpTests {
  static let cell: [SIMD3<Double>] = [[12, 0, 0], [3, 11, 0], [-2, 4, 13]]
  static let wrapped: [SIMD3<Double>] = [[2.5, 3.5, 4.5], [6.75, 7.25, 9.75], [4.25, 5.75, 7.25]]
  /// a - c of the first atom, 2 b of the second.
  static let unwrapped: [SIMD3<Double>] = [[16.5, -0.5, -8.5], [12.75, 29.25, 9.75], [4.25, 5.75, 7.25]]

  static func close(_ a: [SIMD3<Double>]?, _ b: [SIMD3<Double>], _ tolerance: Double = 1e-12) -> Bool {
    guard let a, a.count == b.count else { return false }
    return zip(a, b).allSatisfy { length($0 - $1) < tolerance }
  }

  @Test(arguments: [
    ("metal.lammpstrj", wrapped, 1.0), ("real.lammpstrj", wrapped, 0.0433641042418),
    ("scaled.lammpstrj.gz", wrapped, 1), ("unwrapped.lammpstrj", unwrapped, 1),
    ("unwrapped_scaled.lammpstrj", unwrapped, 0), ("atom.lammpstrj", wrapped, 0),
  ])
  func readsDumps(_ name: String, _ positions: [SIMD3<Double>], _ forceUnit: Double) throws {
    let trajectory = try Trajectory.read(path: fixture(name))
    let hasElements = forceUnit != 0 && positions == Self.wrapped && !name.hasPrefix("scaled")
    // With elements, types follow their first appearance.
    #expect(trajectory.typeNames == (hasElements ? ["Cl", "Li"] : ["1", "2"]))
    #expect(trajectory.frames.count == 2)
    for (k, frame) in trajectory.frames.enumerated() {
      let shift = SIMD3(0.5 * Double(k), 0, 0)
      #expect(frame.cell == (try Cell(vectors: Self.cell)))
      #expect(frame.types == (hasElements ? [1, 1, 0] : [0, 0, 1]))
      #expect(Self.close(frame.positions, positions.map { $0 + shift }, name.hasPrefix("atom") ? 1e-4 : 1e-11))
      if forceUnit > 0 {
        #expect(Self.close(frame.forces, Self.unwrapped.map { ($0 + shift) * (-forceUnit / 8) }))
      } else {
        #expect(frame.forces == nil)
      }
    }
  }

  @Test func namesTypes() throws {
    let named = try Trajectory.read(path: fixture("metal.lammpstrj"), TrajectorySelection(typeNames: ["Na", "Br"]))
    #expect(named.typeNames == ["Na", "Br"])
    let selected = try Trajectory.read(
      path: fixture("atom.lammpstrj"), TrajectorySelection(species: ["Br"], typeNames: ["Na", "Br"], slice: "-1:"))
    #expect(selected.frames.map(\.types) == [[0]])
    #expect(
      readingError(fixture("atom.lammpstrj"), TrajectorySelection(typeNames: ["Na"])).contains("type 2 has no name"))
  }

  /// A frame in an orthogonal box, with the rows given.
  static func dump(
    _ rows: String, columns: String = "id type x y z", bounds: String = "pp pp ff\n0 9\n0 9\n-1 8", count: String = "2"
  ) -> String {
    """
    ITEM: TIMESTEP
    0
    ITEM: NUMBER OF ATOMS
    \(count)
    ITEM: BOX BOUNDS \(bounds)
    ITEM: ATOMS \(columns)
    \(rows)
    """
  }

  @Test func readsOrthogonalAndGeneralBoxes() throws {
    try withFile(Self.dump("7 1 1 2 3\n3 1 4 5 6").utf8) { path in
      let frame = try Trajectory.read(path: path).frames[0]
      #expect(frame.cell == (try Cell(orthogonal: [9, 9, 9], periodic: [true, true, false])))
      #expect(frame.positions == [[4, 5, 6], [1, 2, 3]])
    }
    let bounds = "abc origin pp pp pp\n0 9 0 1\n-9 0 0 2\n0 0 9 3"
    try withFile(Self.dump("1 1 0.5 0.5 0.5\n2 1 0 0 0", columns: "id type xs ys zs", bounds: bounds).utf8) { path in
      let frame = try Trajectory.read(path: path).frames[0]
      #expect(frame.cell.vectors == [[0, 9, 0], [-9, 0, 0], [0, 0, 9]])
      #expect(frame.positions == [[-3.5, 6.5, 7.5], [1, 2, 3]])
    }
  }

  static let faults: [(String, String)] = [
    (dump("1 1 0 0 0"), ":10: the file ends within frame 0"),
    (dump("1 1 0 0 0") + "\n" + dump("1 1 0 0 0\n2 1 1 1 1"), ":11: expected an atom's 5 columns; frame 0 has 1 of 2"),
    (dump("1 1 0 0 0\n2 1 nan 0 0"), ":11: expected a finite number, found \"nan\""),
    (dump("1 1 0 0 0\n1 1 1 0 0"), "two atoms have the id 1"),
    (dump("1 1 0 0 0\n2 1 9 0 0"), "are in one place"),
    (dump("1 0 0 0 0\n2 1 1 0 0"), "no type 0"),
    (dump("1 999999999 0 0 0\n2 1 1 0 0"), "no type 999999999"),
    (dump("1 1 0 0 0\n2 1 1 0 0", columns: "id type x y vz"), "no positions"),
    (dump("1 1 0 0 0\n2 1 1 0 0", columns: "id mol x y z"), "no species"),
    (dump("1 1 0 0 0\n2 1 1 0 0", bounds: "pp pp pp\n0 9\n0 9\n0 0"), ":5: degenerate cell"),
    (dump("1 1 0 0 0\n2 1 1 0 0", bounds: "pp pp pp\n0 9 1\n0 9 1\n0 9 1"), ":5: BOX BOUNDS must have 2 columns"),
    (dump("1 1 0 0 0\n2 1 1 0 0", count: "-1"), ":4: expected the number of atoms"),
    (dump("", count: "0"), "no atoms"),
    ("ITEM: TIMESTEP\n0\n", ":2: the file ends within frame 0"),
    ("ITEM: ATOMS id type x y z\n1 1 0 0 0\n", "no NUMBER OF ATOMS"),
    ("ITEM: NUMBER OF ATOMS\n1\nITEM: ATOMS id type x y z\n1 1 0 0 0\n", "no BOX BOUNDS"),
    ("ITEM: UNITS\nlj\n" + dump("1 1 0 0 0\n2 1 1 0 0"), ":2: units lj"),
    (
      dump("Li 0 0 0\nLi 1 0 0", columns: "element x y z") + "\n" + dump("1 0 0 0\n1 1 0 0", columns: "type x y z"),
      "other columns"
    ),
  ]

  @Test(arguments: faults)
  func refuses(_ text: String, _ reason: String) throws {
    try withFile(text.utf8) { path in
      let message = readingError(path)
      #expect(message.hasPrefix(path) && message.contains(reason) && !message.contains("\n"), "\(message)")
    }
  }
}
