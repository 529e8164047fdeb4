import DiffNNP

/// The units of a file's lengths and forces. Where neither the file nor the user names them, they are Å, eV and eV/Å.
public struct FileUnits: Equatable, Sendable {
  /// A unit with its size in this program's units.
  public struct Unit: Equatable, Sendable {
    /// Name, as it is usually written: kcal/mol/Å.
    public let name: String
    /// Size in Å, eV or eV/Å (CODATA 2018).
    public let size: Double
  }

  /// Units of `length` and `energy`; nil where they are not named.
  public private(set) var length: Unit?
  public private(set) var energy: Unit?
  private var namedForce: Unit?

  /// Units of a file that names none.
  public init() {}

  /// Units that a user names.
  /// - Parameter names: a style of LAMMPS (real, metal, electron, …), or two units: of lengths, and of forces.
  /// - Throws: where a name is unknown; the message has those that are known.
  public init(names: [String]) throws {
    if names.count == 1, let style = try Self(style: names[0]) {
      self = style
      return
    }
    guard names.count == 2, let length = Self.length(names[0]), let force = Self.force(names[1]) else {
      throw DiffNNPError("units \"\(names.joined(separator: ","))\" are unknown; \(Self.knownNames)")
    }
    (self.length, namedForce) = (length, force)
  }

  // MARK: Use

  /// Unit of forces: as named, or as it follows from energy and length; nil where neither is named.
  public var force: Unit? {
    if let namedForce { return namedForce }
    return energy.map { Self.per($0, length ?? Self.lengths[0].unit) }
  }

  var lengthSize: Double { length?.size ?? 1 }
  var forceSize: Double { force?.size ?? 1 }

  /// The units that the file names, completed by those that a user gives.
  /// - Throws: where they contradict one another.
  func completed(by given: FileUnits?) throws -> FileUnits {
    guard let given else { return self }
    for (what, own, other) in [("lengths", length, given.length), ("forces", force, given.force)] {
      guard let own, let other, abs(own.size / other.size - 1) > 1e-3 else { continue }
      throw DiffNNPError(
        "the file says that its \(what) are in \(own.name), and the units given say \(other.name); leave out the units given, "
          + "or correct the file")
    }
    var units = given
    units.length = length ?? given.length
    units.energy = energy ?? given.energy
    units.namedForce = force ?? given.force
    return units
  }

  // MARK: Names in files

  /// Takes in a key of a header that may name a unit: force-unit, forces_units, e_unit, units, …
  /// - Returns: nil where the key is about something else; else whether the name is known.
  mutating func note(key: String, _ value: String) -> Bool? {
    var stem = key.lowercased().filter { !"-_. ".contains($0) }
    if let word = ["units", "unit"].first(where: stem.hasSuffix) {
      stem.removeLast(word.count)
    } else if let word = ["units", "unit"].first(where: stem.hasPrefix), !stem.hasSuffix("cell") {
      stem.removeFirst(word.count)
    } else {
      return nil
    }
    switch stem {
    case "": return note(all: value)
    case "force", "forces", "f": namedForce = Self.force(value)
    case "energy", "energies", "e": energy = Self.energy(value)
    case "length", "lengths", "distance", "distances", "position", "positions", "pos", "coordinate", "coordinates",
      "coords", "lattice", "cell", "box", "r":
      guard let unit = Self.length(value), length == nil || length == unit else { return false }
      length = unit
      return true
    default: return nil
    }
    return stem.hasPrefix("f") ? namedForce != nil : energy != nil
  }

  /// Takes in the value of a key that names all units: a style of LAMMPS, or several units one after the other.
  private mutating func note(all value: String) -> Bool {
    if let style = (try? Self(style: value)) ?? nil {
      self = style
      return true
    }
    let names = value.split { ",; ".contains($0) }.map(String.init)
    for name in Self.force(value) != nil ? [value] : names {
      if let unit = Self.force(name) {
        namedForce = unit
      } else if let unit = Self.energy(name) {
        energy = unit
      } else if let unit = Self.length(name) {
        length = unit
      } else {
        return false
      }
    }
    return !names.isEmpty
  }

  /// Units of a style of LAMMPS; nil where the name is none.
  /// - Throws: where lengths in it have no size.
  init?(style: String) throws {
    guard style.lowercased() != "lj" else {
      throw DiffNNPError("units lj have no size in Å; expected \(Self.styles.map(\.name).joined(separator: ", "))")
    }
    let names = [style.lowercased(), style.lowercased() == "atomic" ? "electron" : ""]
    guard let found = Self.styles.first(where: { names.contains($0.name) }) else { return nil }
    length = Self.length(found.length)
    energy = Self.energy(found.energy)
    namedForce = Self.force(found.force)
  }

  /// <https://docs.lammps.org/units.html>
  private static let styles: [(name: String, length: String, energy: String, force: String)] = [
    ("real", "Å", "kcal/mol", "kcal/mol/Å"), ("metal", "Å", "eV", "eV/Å"),
    ("electron", "Bohr", "Hartree", "Hartree/Bohr"), ("nano", "nm", "ag nm²/ns²", "pN"), ("si", "m", "J", "N"),
    ("cgs", "cm", "erg", "dyn"), ("micro", "µm", "pg µm²/µs²", "nN"),
  ]

  /// The list of known units for messages.
  static var knownNames: String {
    "known are the styles of LAMMPS (\(styles.map(\.name).joined(separator: ", "))), "
      + "lengths in \(lengths.map(\.unit.name).joined(separator: ", ")), "
      + "energies in \(energies.map(\.unit.name).joined(separator: ", ")), and forces in ENERGY/LENGTH"
  }

  // MARK: Units

  private typealias Known = (unit: Unit, names: [[String]])

  private static func known(_ name: String, _ size: Double, _ names: String...) -> Known {
    (Unit(name: name, size: size), names.map { $0.split(separator: " ").map(String.init) })
  }

  private static let lengths = [
    known("Å", 1, "ang", "angstrom", "angstroms", "a"), known("nm", 10, "nm", "nanometer", "nanometers", "nanometre"),
    known("Bohr", 0.529_177_210_903, "bohr", "bohrs", "au", "a u", "a0", "a 0"), known("pm", 0.01, "pm", "picometer"),
    known("µm", 1e4, "um", "micrometer"), known("cm", 1e8, "cm"), known("m", 1e10, "m", "meter", "metre"),
  ]

  private static let electronVolt = 1.602_176_634e-19
  private static let kilojoule = 0.010_364_269_656_262_175
  private static let hartree = 27.211_386_245_988

  private static let energies = [
    known("eV", 1, "ev", "electronvolt"), known("meV", 1e-3, "mev"),
    known("kcal/mol", 4.184 * kilojoule, "kcal mol", "kcalmol"), known("kJ/mol", kilojoule, "kj mol", "kjmol"),
    known("Hartree", hartree, "hartree", "hartrees", "ha", "eh", "au", "a u"),
    known("Rydberg", hartree / 2, "ry", "rydberg", "rydbergs"), known("J", 1 / electronVolt, "j", "joule"),
    known("erg", 1e-7 / electronVolt, "erg"),
  ]

  private static let forces = [
    known("Hartree/Bohr", hartree / 0.529_177_210_903, "au", "a u"), known("N", 1e-10 / electronVolt, "n", "newton"),
    known("nN", 1e-19 / electronVolt, "nn"), known("pN", 1e-22 / electronVolt, "pn"),
    known("dyn", 1e-15 / electronVolt, "dyn", "dyne"),
  ]

  private static func per(_ energy: Unit, _ length: Unit) -> Unit {
    Unit(name: "\(energy.name)/\(length.name)", size: energy.size / length.size)
  }

  private static func find(_ words: [String], _ table: [Known]) -> Unit? {
    table.first { $0.names.contains(words) }?.unit
  }

  static func length(_ name: String) -> Unit? { find(words(name), lengths) }
  static func energy(_ name: String) -> Unit? { find(words(name), energies) }

  static func force(_ name: String) -> Unit? {
    let words = words(name)
    if let unit = find(words, forces) { return unit }
    for end in words.indices.dropFirst() {
      if let energy = find(Array(words[..<end]), energies), let length = find(Array(words[end...]), lengths) {
        return per(energy, length)
      }
    }
    return nil
  }

  /// The words of a name, whatever stands between them: kcal/(mol Å), kcal mol^-1 Å^-1 and kcal/mol/angstrom are one.
  private static func words(_ name: String) -> [String] {
    let plain = name.lowercased().map { character -> String in
      switch character {
      case "å": "ang"
      case "µ", "μ": "u"
      case "⁻", "¹": " "
      default: character.isLetter || character.isNumber ? String(character) : " "
      }
    }.joined()
    return plain.split(separator: " ").map(String.init).filter { $0 != "per" && $0 != "1" }
  }
}

extension FileUnits: CustomStringConvertible {
  /// The units in words, for a line of a log.
  public var description: String {
    "lengths in \(length?.name ?? "Å (assumed)"), forces in \(force?.name ?? "eV/Å (assumed)")"
  }
}
