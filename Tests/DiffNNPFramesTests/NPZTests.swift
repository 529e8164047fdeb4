import DiffNNP
import Testing

@testable import DiffNNPFrames

/// Against archives written by numpy: see Fixtures/make_npz.py.
@Suite struct NPZTests {
  static let vectors: [SIMD3<Double>] = [[12, 0, 0], [3, 11, 0], [-2, 4, 13]]

  static func position(_ frame: Int, _ atom: Int) -> SIMD3<Double> {
    let k = Double(9 * frame + 3 * atom)
    return SIMD3(k, k + 1, k + 2) * 0.5 + 0.25
  }

  @Test(arguments: [
    "stored.npz", "deflated.npz", "big_endian.npz", "fortran.npz", "leading_one.npz", "pbc_per_frame.npz",
  ])
  func readsNumpyArchives(_ name: String) throws {
    let trajectory = try Trajectory.read(path: fixture(name))
    #expect(trajectory.typeNames == ["Li", "Cl"])
    #expect(trajectory.frames.count == 3)
    for (k, frame) in trajectory.frames.enumerated() {
      #expect(frame.types == [0, 0, 1])
      #expect(frame.cell == (try Cell(vectors: Self.vectors, periodic: [true, false, true])))
      // Every number of the fixture is exact in single precision.
      #expect(frame.positions == (0..<3).map { Self.position(k, $0) })
      #expect(frame.forces == (0..<3).map { -Self.position(k, $0) / 8 })
    }
  }

  @Test func readsTypesAndCellsOfEachFrame() throws {
    let trajectory = try Trajectory.read(path: fixture("per_frame.npz"))
    #expect(trajectory.typeNames == ["1", "2"])
    #expect(trajectory.frames.map(\.types) == [[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    #expect(trajectory.frames.map(\.cell.vectors) == (1...3).map { k in Self.vectors.map { Double(k) * $0 } })
    #expect(trajectory.frames.allSatisfy { $0.forces == nil })
  }

  @Test func readsEdges() throws {
    let frames = try Trajectory.read(path: fixture("edges.npz")).frames
    #expect(frames[0].cell == (try Cell(orthogonal: [12, 11, 13])))
    #expect(frames[1].cell == (try Cell(orthogonal: [12, 11, 14])))
    // As many frames as a cell has vectors.
    let three = try Trajectory.read(path: fixture("edges_of_three.npz")).frames
    #expect(
      three.map(\.cell) == (try [[12, 11, 13], [12, 11, 14], [12.5, 11, 14]].map { try Cell(orthogonal: $0) }))
  }

  @Test func namesTypes() throws {
    let named = try Trajectory.read(path: fixture("per_frame.npz"), TrajectorySelection(typeNames: ["Na", "Br", "K"]))
    #expect(named.typeNames == ["Na", "Br"])
    let symbols = try Trajectory.read(path: fixture("symbols.npz"))
    #expect(symbols.typeNames == ["Li", "Cl"])
    #expect(symbols.frames[0].cell == (try Cell(orthogonal: [20, 20, 20])))
  }

  @Test func selectsSpeciesInTheOrderGiven() throws {
    let path = fixture("stored.npz")
    let swapped = try Trajectory.read(path: path, TrajectorySelection(species: ["Cl", "Li"]))
    #expect(swapped.typeNames == ["Cl", "Li"])
    #expect(swapped.frames[0].types == [1, 1, 0])
    let chlorine = try Trajectory.read(path: path, TrajectorySelection(species: ["Cl"], slice: "-2::"))
    #expect(chlorine.frames.map(\.positions) == [[Self.position(1, 2)], [Self.position(2, 2)]])
    #expect(chlorine.frames.map(\.forces) == [[-Self.position(1, 2) / 8], [-Self.position(2, 2) / 8]])
    #expect(chlorine.frames.map(\.types) == [[0], [0]])
  }

  @Test(arguments: [
    ("no_cell.npz", "no cell"), ("bad_unit.npz", "r_unit is \"furlong\", which is no unit"),
    ("wrong_shape.npz", "R has shape [3, 3, 2]"), ("unknown_element.npz", "170"), ("degenerate.npz", "degenerate cell"),
    ("nan.npz", "frame 1: position of atom 3"), ("coincident.npz", "frame 2: atoms 1 and 2"),
  ])
  func refuses(_ name: String, _ reason: String) {
    let message = readingError(fixture(name))
    #expect(message.contains(name) && message.contains(reason) && !message.contains("\n"), "\(message)")
  }

  /// Units named as by sGDML, as text and as bytes.
  @Test(arguments: ["sgdml.npz", "sgdml_bytes.npz"])
  func readsUnits(_ name: String) throws {
    let trajectory = try Trajectory.read(path: fixture(name))
    for (k, frame) in trajectory.frames.enumerated() {
      for i in 0..<3 {
        #expect(length(frame.positions[i] - Self.position(k, i)) < 1e-12)
        #expect(length(try #require(frame.forces)[i] + Self.position(k, i) / 8) < 1e-8)
      }
      #expect(zip(frame.cell.vectors, Self.vectors).allSatisfy { length($0 - $1) < 1e-12 })
    }
    var selection = TrajectorySelection()
    selection.units = try FileUnits(names: ["electron"])
    #expect(readingError(fixture(name), selection).contains("the units given say Bohr"))
  }

  @Test func readsForcesOfAnotherName() throws {
    let bare = try Trajectory.read(path: fixture("REF_forces.npz"))
    #expect(bare.frames[0].forces == nil && bare.report.likelyForces == ["REF_forces"])
    var selection = TrajectorySelection()
    selection.forcesName = "REF_forces"
    let named = try Trajectory.read(path: fixture("REF_forces.npz"), selection)
    #expect(named.frames[2].forces == (0..<3).map { -Self.position(2, $0) / 8 })
    selection.forcesName = "DFT"
    #expect(readingError(fixture("REF_forces.npz"), selection).contains("no array DFT"))
  }

  /// Two of one species, and one of another.
  @Test(arguments: [
    ("atom_symbols", ["Li", "Cl"]), ("symbols_alone", ["Li", "Cl"]), ("symbols_per_frame", ["Li", "Cl"]),
    ("beads", ["Li", "Cl"]), ("from_one", ["1", "2"]), ("from_one_named", ["Li", "Cl"]),
  ])
  func knowsSpecies(_ name: String, _ names: [String]) throws {
    let trajectory = try Trajectory.read(path: fixture("species_\(name).npz"))
    #expect(trajectory.typeNames == names && trajectory.frames.allSatisfy { $0.types == [0, 0, 1] })
  }

  @Test(arguments: [
    ("z_merges", "z C stands for both 0 and 1 of types"),
    ("symbols_merge", "symbols C stands for both 0 and 1 of types"),
    ("z_against_symbols", "z says Li where types and symbols say Cl"),
    ("symbols_twice", "two types have one name (Li Li)"),
    ("unclear_start", "not clear whether types are counted from 0 or from 1"),
    ("atoms_or_types", "3 atoms or of as many types, which say different things"),
  ])
  func refusesSpeciesThatContradict(_ name: String, _ reason: String) throws {
    let message = readingError(fixture("species_\(name).npz"))
    #expect(message.contains(reason) && !message.contains("\n"), "\(message)")
    // The names of types mend all.
    let names = name == "atoms_or_types" ? ["Li", "Cl", "Na"] : ["Li", "Cl"]
    let mended = try Trajectory.read(path: fixture("species_\(name).npz"), TrajectorySelection(typeNames: names))
    #expect(mended.typeNames == names)
  }

  @Test func refusesEmptySelections() {
    #expect(readingError(fixture("stored.npz"), TrajectorySelection(species: ["Na"])).contains("Na"))
    #expect(readingError(fixture("stored.npz"), TrajectorySelection(start: 3)).contains("no frames chosen by 3::1"))
    #expect(readingError(fixture("stored.npz"), TrajectorySelection(typeNames: ["A"])).contains("no array types"))
    #expect(
      readingError(fixture("per_frame.npz"), TrajectorySelection(typeNames: ["A"])).contains("type 2 has no name"))
  }
}
