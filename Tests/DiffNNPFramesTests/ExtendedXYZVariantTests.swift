import DiffNNP
import Testing

@testable import DiffNNPFrames

/// What other programs write, and what can be made of it.
@Suite struct ExtendedXYZVariantTests {
  private static let atoms = "Li 1 2 3\nCl 4 5 6\n"

  private func read(_ header: String, _ rows: String, _ selection: TrajectorySelection = .init()) throws -> Trajectory {
    var trajectory: Trajectory?
    try withFile("2\n\(header)\n\(rows)".utf8) { trajectory = try Trajectory.read(path: $0, selection) }
    return try #require(trajectory)
  }

  private func error(_ header: String, _ rows: String, _ selection: TrajectorySelection = .init()) throws -> String {
    var message = ""
    try withFile("2\n\(header)\n\(rows)".utf8) { message = readingError($0, selection) }
    return message
  }

  @Test(arguments: [
    "Lattice=\"9\t0\t0\t0\t9\t0\t0\t0\t9\" pbc=\"T F T\"", "Lattice=[[9, 0, 0], [0, 9, 0], [0, 0, 9]] pbc=[T, F, T]",
    "lattice=\"9 0 0 0 9 0 0 0 9\" pbc=[true,false,true]", "LATTICE={9 0 0 0 9 0 0 0 9} PBC='T F T'",
    "Lattice=\"9,0,0,0,9,0,0,0,9\" Pbc=[\"T\", \"F\", \"T\"] note=[[a, b], [c]]",
  ])
  func readsHeadersInOtherForms(_ header: String) throws {
    let trajectory = try read(header, Self.atoms)
    #expect(trajectory.frames[0].cell == (try Cell(orthogonal: [9, 9, 9], periodic: [true, false, true])))
    #expect(trajectory.frames[0].positions == [[1, 2, 3], [4, 5, 6]] && trajectory.typeNames == ["Li", "Cl"])
  }

  @Test func passesOverAByteOrderMark() throws {
    let text = "\u{feff}2\n\(ExtendedXYZTests.lattice)\n\(Self.atoms)"
    try withFile(text.utf8) { path in
      let trajectory = try Trajectory.read(path: path)
      #expect(trajectory.frames[0].positions == [[1, 2, 3], [4, 5, 6]])
    }
  }

  @Test func readsPropertiesWhateverTheLetters() throws {
    for properties in ["properties=species:S:1:force:R:3:pos:R:3", "Properties=Species:s:1:Forces:r:3:Pos:r:3"] {
      let frame = try read("\(ExtendedXYZTests.lattice) \(properties)", "Li 7 8 9 1 2 3\nCl 0 0 1 4 5 6\n").frames[0]
      #expect(frame.positions == [[1, 2, 3], [4, 5, 6]] && frame.forces == [[7, 8, 9], [0, 0, 1]])
    }
  }

  @Test func namesColumnsThatLookLikeForces() throws {
    let header = "\(ExtendedXYZTests.lattice) Properties=species:S:1:pos:R:3:REF_forces:R:3"
    let rows = "Li 1 2 3 7 8 9\nCl 4 5 6 0 0 1\n"
    let bare = try read(header, rows)
    #expect(bare.frames[0].forces == nil && bare.report.likelyForces == ["REF_forces"])
    var selection = TrajectorySelection()
    selection.forcesName = "REF_forces"
    #expect(try read(header, rows, selection).frames[0].forces == [[7, 8, 9], [0, 0, 1]])
    selection.forcesName = "dft"
    let message = try error(header, rows, selection)
    #expect(message.contains("no forces dft:R:3 in Properties"))
  }

  // MARK: Species

  @Test func takesNumbersForAtomicNumbersOrTypes() throws {
    let elements = try read(ExtendedXYZTests.lattice, "3 1 2 3\n17 4 5 6\n")
    #expect(elements.typeNames == ["Li", "Cl"] && elements.report.warnings.count == 1)
    #expect(elements.report.warnings[0].contains("taken for atomic numbers (Li Cl)"))
    let names = TrajectorySelection(typeNames: ["Na", "Br"])
    let types = try read(ExtendedXYZTests.lattice, "2 1 2 3\n1 4 5 6\n", names)
    #expect(types.typeNames == ["Na", "Br"] && types.frames[0].types == [1, 0] && types.report.warnings.isEmpty)
    let message = try error(ExtendedXYZTests.lattice, "3 1 2 3\n17 4 5 6\n", names)
    #expect(message.contains("type 3 has no name: 2 are given (Na Br); where these numbers are atomic numbers"))
    let unknown = try error(ExtendedXYZTests.lattice, "3 1 2 3\n170 4 5 6\n")
    #expect(unknown.contains("170 is no element"))
  }

  /// Names of types do no harm to a file that has names itself, as where it is compared with one that has not.
  @Test func keepsItsOwnNames() throws {
    let trajectory = try read(ExtendedXYZTests.lattice, Self.atoms, TrajectorySelection(typeNames: ["Cl", "Li", "K"]))
    #expect(trajectory.typeNames == ["Cl", "Li"] && trajectory.frames[0].types == [1, 0])
  }

  @Test func refusesColumnsThatContradict() throws {
    let header = "\(ExtendedXYZTests.lattice) Properties=species:S:1:pos:R:3:Z:I:1"
    #expect(try read(header, "Li 1 2 3 3\nCl 4 5 6 17\n").typeNames == ["Li", "Cl"])
    let message = try error(header, "A 1 2 3 3\nA 4 5 6 17\n")
    #expect(message.contains(":4: species A stands for both 3 and 17 of Z"), "\(message)")
    let swapped = try error(header, "Li 1 2 3 17\nCl 4 5 6 3\n")
    #expect(swapped.contains(":3: species says Li where Z is 17, Cl"), "\(swapped)")
  }

  // MARK: Units

  @Test(arguments: [
    ("force-unit=kcal/mol/angstrom energy-unit=kcal/mol", 1, 0.043_364_104),
    ("energy_units=kcal/mol", 1, 0.043_364_104),
    ("units=real", 1, 0.043_364_104), ("Units=\"Ang eV\"", 1, 1), ("forces_unit=\"Hartree/Bohr\"", 1, 51.422_067_5),
    ("length-unit=Bohr energyUnit=Hartree", 0.529_177_21, 51.422_067_5), ("units=metal forces_unit=meV/Å", 1, 1e-3),
    ("positions_unit=nm forces_unit=\"kJ/(mol nm)\"", 10, 0.001_036_426_97),
    ("stress_unit=GPa time-unit=fs unit_cell=9", 1, 1),
    ("force_unit=\"kcal mol^-1 Å^-1\"", 1, 0.043_364_104),
  ])
  func readsUnits(_ keys: String, _ length: Double, _ force: Double) throws {
    let header = "\(ExtendedXYZTests.lattice) Properties=species:S:1:pos:R:3:forces:R:3 \(keys)"
    let frame = try read(header, "Li 1 2 3 7 8 9\nCl 4 5 6 0 0 1\n").frames[0]
    #expect(abs(frame.positions[1].z / (6 * length) - 1) < 1e-8 && abs((frame.forces?[1].z ?? 0) / force - 1) < 1e-7)
    #expect(abs(frame.cell.vectors[0].x / (9 * length) - 1) < 1e-8)
  }

  @Test func refusesUnknownUnits() throws {
    let message = try error("\(ExtendedXYZTests.lattice) force-unit=poundals", Self.atoms)
    #expect(message.contains(":2: force-unit=\"poundals\" is no unit; known are the styles of LAMMPS (real, metal"))
    #expect(throws: DiffNNPError.self) { try FileUnits(names: ["lj"]) }
    #expect(throws: DiffNNPError.self) { try FileUnits(names: ["eV/Å^2"]) }
    #expect(throws: DiffNNPError.self) { try FileUnits(names: ["nm", "eV"]) }
    #expect(throws: DiffNNPError.self) { try FileUnits(names: []) }
  }

  // MARK: Ends of files

  /// A last line without end was cut off, maybe within its last number.
  @Test func noticesNumbersCutOff() throws {
    let whole = "2\n\(ExtendedXYZTests.lattice)\nLi 1.25 2.25 3.25\nCl 4.25 5.25 6.25\n"
    let frames = Array((whole + whole.replacing("6.25", with: "7.25")).utf8)
    for cut in 1..<18 {
      try withFile(frames.dropLast(cut)) { path in
        let message = readingError(path)
        #expect(message.contains(":8: the file ends within frame 1") && message.hasSuffix("--frames 0:1"), "\(message)")
        let rest = try Trajectory.read(path: path, TrajectorySelection(stop: 1))
        #expect(rest.frames.count == 1)
        #expect(readingError(path, TrajectorySelection(start: -1)).contains("the file ends within frame 1"))
      }
    }
  }
}
