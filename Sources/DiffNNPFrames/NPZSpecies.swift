import DiffNNP

/// The species of the atoms of an archive: by atomic numbers `z`, by symbols of each atom, or by numbers of types,
/// which `symbols` may name. Where there are several of these, they have to agree.
struct NPZSpecies {
  private let arrays: NPZArrays
  private let given: [String]?
  private let elements: Labels?
  private let types: [Int]?
  private let atomSymbols: Labels?
  private let typeSymbols: [String]?

  /// A name of each atom of one frame, or of all of them in a row.
  private struct Labels {
    var indices: [Int] = []
    var names: [String] = []
    private var known: [String: Int] = [:]

    init(_ labels: some Sequence<String>) {
      for name in labels {
        if known[name] == nil {
          known[name] = names.count
          names.append(name)
        }
        indices.append(known[name]!)
      }
    }

    func name(_ atom: Int) -> String { names[indices[atom % indices.count]] }
  }

  /// - Parameter typeNames: of types, where the user names them.
  init(_ arrays: NPZArrays, frames: Int, atoms: Int, typeNames: [String]?) throws {
    (self.arrays, given) = (arrays, typeNames)
    types = try Self.integers("types", arrays, frames, atoms)
    guard typeNames == nil || types == nil else {
      (elements, atomSymbols, typeSymbols) = (nil, nil, nil)
      return
    }
    let numbers = try Self.integers("z", arrays, frames, atoms)
    let symbols = try Self.symbols(arrays)
    // Numbers that are all 0 are those of beads, and say nothing where something else does.
    let isEmpty = numbers?.allSatisfy { $0 == 0 } == true && (types != nil || symbols != nil)
    elements = isEmpty ? nil : try numbers.map { try Self.elements($0, arrays) }
    (atomSymbols, typeSymbols) = try Self.meaning(of: symbols, types, arrays, frames, atoms)
  }

  /// Types of the atoms, counted from 0, and their names.
  func typesAndNames() throws -> (types: [Int], names: [String]) {
    if given != nil, types != nil { return try namedTypes(given) }
    let unnamed = "names are given for types, but there is no array types"
    guard let found = elements ?? atomSymbols else {
      guard types != nil else { throw missing(given == nil ? "neither z nor types nor symbols" : unnamed) }
      return try namedTypes(typeSymbols)
    }
    if let given, !Set(found.names).isSubset(of: given) { throw missing(unnamed) }
    try checkAgreement(found)
    return (found.indices, found.names)
  }

  private func missing(_ what: String) -> DiffNNPError {
    arrays.failure("\(what); it has \(arrays.archive.names.joined(separator: " "))")
  }

  /// - Throws: where another array says something else than the labels of atoms that are used.
  private func checkAgreement(_ labels: Labels) throws {
    let key = elements == nil ? "symbols" : "z"
    func check(_ other: [Int], _ otherKey: String, _ names: [String]?) throws {
      var agreement = SpeciesAgreement()
      for k in 0..<max(labels.indices.count, other.count) {
        let (a, b) = (labels.indices[k % labels.indices.count], other[k % other.count])
        guard let conflict = agreement.add(a, b) else { continue }
        let text = conflict.text((key, otherKey), (labels.names, names))
        throw arrays.failure("\(text); leave out the array that is wrong, or name the types with --types")
      }
    }
    if let types { try check(types, "types", nil) }
    guard elements != nil else { return }
    if let atomSymbols {
      try check(atomSymbols.indices, "symbols", atomSymbols.names)
      for k in 0..<max(labels.indices.count, atomSymbols.indices.count) {
        let (a, b) = (labels.name(k), atomSymbols.name(k))
        guard a != b, Element.symbols.contains(b) else { continue }
        throw arrays.failure("z says \(a) where symbols say \(b); leave out the one that is wrong")
      }
    }
    guard let types, let typeSymbols else { return }
    for (k, type) in types.enumerated() where typeSymbols.indices.contains(type) {
      let (a, b) = (labels.name(k), typeSymbols[type])
      guard a != b, Element.symbols.contains(b) else { continue }
      throw arrays.failure("z says \(a) where types and symbols say \(b); leave out the one that is wrong")
    }
  }

  /// Species by numbers of types, counted from 0 or from 1.
  private func namedTypes(_ names: [String]?) throws -> (types: [Int], names: [String]) {
    let types = types ?? []
    if let names, Set(names).count < names.count {
      throw arrays.failure("two types have one name (\(names.joined(separator: " "))); name them with --types")
    }
    let (least, most) = (types.min() ?? 0, types.max() ?? 0)
    let start = least > 0 ? 1 : 0
    if let names, start == 1, names.count > most {
      throw arrays.failure(
        "types are \(least) to \(most), and there are \(names.count) names (\(names.joined(separator: " "))): it is not clear "
          + "whether types are counted from 0 or from 1; give \(most) names with --types")
    }
    var table = NumberedTypes(given: names)
    return try naming("\(arrays.archive.path): types") {
      (try types.map { try table.index(of: $0 - start) }, table.names)
    }
  }

  // MARK: Arrays

  private static func integers(_ key: String, _ arrays: NPZArrays, _ frames: Int, _ atoms: Int) throws -> [Int]? {
    guard let array = try arrays.archive.array(key) else { return nil }
    guard [[atoms], [1, atoms], [frames, atoms]].contains(array.shape) else {
      throw arrays.wrongShape(array.name, array.shape, "[atoms], \(atoms) as in R")
    }
    return try (0..<array.count).map {
      guard let value = array.integer($0) else {
        throw arrays.failure("\(key) has elements that are not whole numbers")
      }
      return value
    }
  }

  private static func elements(_ numbers: [Int], _ arrays: NPZArrays) throws -> Labels {
    if let z = numbers.first(where: { Element.symbol($0) == nil }) {
      throw arrays.failure("z has \(z), which is no element's atomic number")
    }
    return Labels(numbers.lazy.map { Element.symbols[$0] })
  }

  private static func symbols(_ arrays: NPZArrays) throws -> (shape: [Int], labels: Labels)? {
    guard let array = try arrays.archive.array("symbols") else { return nil }
    let labels = Labels((0..<array.count).lazy.map { array.string($0) ?? "" })
    guard !labels.names.contains("") else { throw arrays.failure("symbols has elements that are no names") }
    return (array.shape, labels)
  }

  /// Finds out whether symbols are those of atoms or name types: by how many there are, and, where both have the same
  /// number, by the types.
  private static func meaning(
    of symbols: (shape: [Int], labels: Labels)?, _ types: [Int]?, _ arrays: NPZArrays, _ frames: Int, _ atoms: Int
  ) throws -> (ofAtoms: Labels?, ofTypes: [String]?) {
    guard let (shape, labels) = symbols else { return (nil, nil) }
    if [[1, atoms], [frames, atoms]].contains(shape) { return (labels, nil) }
    guard shape == [atoms] else {
      guard types != nil else {
        throw arrays.failure("symbols has shape \(shape); without an array types, expected [atoms], \(atoms) as in R")
      }
      return (nil, labels.indices.map { labels.names[$0] })
    }
    // As many different names as atoms may also name types, one for each.
    guard let types, labels.names.count == atoms else { return (labels, nil) }
    let start = types.min() ?? 0 > 0 ? 1 : 0
    guard types.indices.allSatisfy({ types[$0] - start == $0 % atoms }) else {
      throw arrays.failure(
        "symbols may be those of the \(atoms) atoms or of as many types, which say different things; leave out symbols or "
          + "types, or name the types with --types")
    }
    return (labels, nil)
  }
}
