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
    (dump("1 1 0 0 0") + dump("1 1 0 0 0\n2 1 1 1 1"), ":11: expected an atom's 5 columns; frame 0 has 1 of 2"),
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
    (dump("1 1 0 0 0\n2 1 1 0 0", bounds: "\n0 9\n0 9\n0 9"), ":5: BOX BOUNDS has no boundary flags"),
    (dump("1 1 0 0 0\n2 1 1 0 0", bounds: "xy xz yz\n0 9 0\n0 9 0\n0 9 0"), ":5: BOX BOUNDS has no boundary flags"),
    (
      dump("1 1 0 0 0\n2 1 1 0 0", bounds: "xx yy zz\n0 9\n0 9\n0 9"),
      "flags \"xx yy zz\"; expected three pairs of p, f, s and m"
    ),
    (dump("1 1 0 0 0\n2 1 1 0 0", bounds: "PP PP PP\n0 9\n0 9\n0 9"), "flags \"PP PP PP\""),
    (dump("1 1 0 0 0\n2 1 1 0 0", bounds: "T T T\n0 9\n0 9\n0 9"), "flags \"T T T\""),
    (dump("1 1 0 0 0\n2 1 1 0 0", bounds: "pp pp\n0 9\n0 9\n0 9"), "flags \"pp pp\""),
    (dump("1 1 0 0 0\n2 1 1 0 0", bounds: "pp pp pf\n0 9\n0 9\n0 9"), "flags \"pp pp pf\""),
    (
      dump("1 1 C 0 0 0\n2 2 C 1 0 0", columns: "id type element x y z"),
      ":11: element C stands for both 1 and 2 of type"
    ),
    (
      dump("1 1 A 0 0 0\n2 1 B 1 0 0", columns: "id type typelabel x y z"),
      ":11: type 1 stands for both A and B of typelabel"
    ),
    (
      dump("B A 0 0 0\nA B 1 0 0", columns: "element typelabel x y z"),
      ":11: element says A where typelabel says B: they contradict one another"
    ),
    (dump("C CT 0 0 0\nC CA 1 0 0", columns: "element typelabel x y z"), ":11: element C stands for both CT and CA"),
    ("ITEM: UNITS\nfurlongs\n" + dump("1 1 0 0 0\n2 1 1 0 0"), ":2: units furlongs are unknown; known are"),
    ("ITEM: UNITS\nlj\n" + dump("1 1 0 0 0\n2 1 1 0 0"), ":2: units lj"),
    (
      dump("Li 0 0 0\nLi 1 0 0", columns: "element x y z") + dump("1 0 0 0\n1 1 0 0", columns: "type x y z"),
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

/// What dumps may leave out, or say in other words.
@Suite struct LAMMPSDumpVariantTests {
  @Test func readsTypeLabels() throws {
    let rows = LAMMPSDumpTests.dump("2 Cl 1 2 3\n1 Li 4 5 6", columns: "id typelabel x y z")
    try withFile(rows.utf8) { path in
      let trajectory = try Trajectory.read(path: path, TrajectorySelection(species: ["Li", "Cl"]))
      #expect(trajectory.frames[0].positions == [[4, 5, 6], [1, 2, 3]] && trajectory.frames[0].types == [0, 1])
    }
  }

  /// Names given mend columns that contradict one another, and where they are in another order than the file's, that is said.
  @Test func believesNamesGiven() throws {
    func read(_ elements: (String, String)) throws -> Trajectory {
      var trajectory: Trajectory?
      let rows = "1 1 \(elements.0) 0 0 0\n2 2 \(elements.1) 1 0 0"
      try withFile(LAMMPSDumpTests.dump(rows, columns: "id type element x y z").utf8) { path in
        trajectory = try Trajectory.read(path: path, TrajectorySelection(typeNames: ["Li", "Cl"]))
      }
      return try #require(trajectory)
    }
    let mended = try read(("C", "C"))
    #expect(mended.typeNames == ["Li", "Cl"] && mended.frames[0].types == [0, 1] && mended.report.warnings.isEmpty)
    let swapped = try read(("Cl", "Li")).report.warnings
    #expect(swapped == ["the column element has Cl where type is 1, which the names given call Li"])
  }

  @Test(arguments: [("ff fs mm", [false, false, false]), ("pp sf pp", [true, false, true])])
  func knowsBoundaries(_ flags: String, _ periodic: [Bool]) throws {
    for (shape, width) in [("", 2), ("xy xz yz ", 3), ("abc origin ", 4)] {
      let upright = Array(repeating: width == 2 ? "0 9" : "0 9 0", count: 3)
      let rows = width == 4 ? ["9 0 0 0", "0 9 0 0", "0 0 9 0"] : upright
      let text = LAMMPSDumpTests.dump(
        "1 1 0 0 0\n2 1 1 0 0", bounds: "\(shape)\(flags)\n\(rows.joined(separator: "\n"))")
      try withFile(text.utf8) { path in
        let cell = try Trajectory.read(path: path).frames[0].cell
        #expect(cell == (try Cell(orthogonal: [9, 9, 9], periodic: periodic)))
      }
    }
  }

  /// A style given for a file without one, against the same file with it.
  @Test(arguments: [
    ("real", 1.0, 0.043_364_104), ("electron", 0.529_177_21, 51.422_067_5), ("nano", 10, 6.241_509_07e-4),
  ])
  func convertsUnits(_ style: String, _ length: Double, _ force: Double) throws {
    let rows = "1 1 0 0 0 1 0 -1\n2 1 4 0 0 -1 0 1"
    let dump = LAMMPSDumpTests.dump(rows, columns: "id type x y z fx fy fz", bounds: "pp pp pp\n0 9\n0 9\n0 9")
    var selection = TrajectorySelection()
    for text in [dump, "ITEM: UNITS\n\(style)\n" + dump] {
      selection.units = text == dump ? try FileUnits(names: [style]) : nil
      try withFile(text.utf8) { path in
        let trajectory = try Trajectory.read(path: path, selection)
        let frame = trajectory.frames[0]
        #expect(abs(frame.positions[1].x / (4 * length) - 1) < 1e-8)
        #expect(abs(frame.cell.volume / (729 * length * length * length) - 1) < 1e-7)
        #expect(abs((frame.forces?[0].x ?? 0) / force - 1) < 1e-7)
        #expect(abs((trajectory.report.units.force?.size ?? 0) / force - 1) < 1e-7)
      }
    }
    selection.units = try FileUnits(names: ["metal"])
    try withFile(("ITEM: UNITS\n\(style)\n" + dump).utf8) { path in
      #expect(readingError(path, selection).contains("the units given say"))
    }
  }

  @Test func readsForcesOfAnotherName() throws {
    let rows = "1 1 0 0 0 1 2 3\n2 1 4 0 0 4 5 6"
    for (columns, name) in [("avefx avefy avefz", "avef"), ("f_a[1] f_a[2] f_a[3]", "f_a")] {
      try withFile(LAMMPSDumpTests.dump(rows, columns: "id type x y z \(columns)").utf8) { path in
        let bare = try Trajectory.read(path: path)
        #expect(bare.frames[0].forces == nil && bare.report.likelyForces == (name == "avef" ? ["avef"] : []))
        var selection = TrajectorySelection()
        selection.forcesName = name
        #expect(try Trajectory.read(path: path, selection).frames[0].forces == [[1, 2, 3], [4, 5, 6]])
      }
    }
  }
}
