import DiffNNP
import DiffNNPAnalysis
import DiffNNPCommandLine

extension Study {
  /// Reads a study. Paths in it are relative to its file.
  /// - Throws: with file, line and key, where something is missing or unknown.
  package init(path: String) throws {
    let root = try ConfigurationSection(YAMLNode.load(path: path))
    let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let resolve = { (file: String) in file.hasPrefix("/") || directory.isEmpty ? file : "\(directory)/\(file)" }
    results = resolve(try root.required("results"))
    work = resolve(try root.required("work"))
    template = try root.text("template").map(resolve)
    report = try root.text("report").map(resolve)
    let systems = try root.entries("systems").map { try System($0.name, $0.section, resolve) }
    self.systems = systems
    rows = try root.sections("rows").map { try Row($0, systems: systems.map(\.name), resolve) }
    let names = rows.map(\.name)
    tables = try root.sections("tables").reduce(into: []) { tables, section in
      tables.append(try Table(section, systems: systems.map(\.name), rows: names, before: tables))
    }
    plots = try root.sections("figures").map { try Plot($0, systems: systems.map(\.name), rows: names) }
    guard !rows.isEmpty else { throw root.failure("rows", "is empty: name the ways to learn that are compared") }
    try root.finish()
  }
}

extension Study.System {
  fileprivate init(_ name: String, _ section: ConfigurationSection, _ resolve: (String) -> String) throws {
    self.name = name
    frames = resolve(try section.required("frames"))
    species = try section.texts("select")
    temperature = try section.double("temperature") ?? 300
    reference = resolve(try section.required("reference"))
    angleReference = try section.text("angle_reference").map(resolve)
    angleRadius = try section.double("angle_radius") ?? 6
    shells = [:]
    for (pair, ends) in try section.lists("shells") { shells[pair] = ends }
    hasTetrahedralOrder = try section.bool("tetrahedral_order") ?? false
    test = try section.text("test").map(resolve)
    masses = try section.doubles("masses")
    timestep = try section.double("timestep") ?? 4
    equilibration = try section.double("equilibration") ?? 0
    try section.finish()
  }
}

extension Study.Row {
  fileprivate init(_ section: ConfigurationSection, systems: [String], _ resolve: (String) -> String) throws {
    name = try section.required("name")
    label = try section.text("label") ?? name
    x = try section.double("x")
    pairStyle = try section.text("pair_style")
    let training = try section.text("training").map(resolve)
    let recipe = try section.text("recipe").map(resolve)
    let program = try section.text("program").map(resolve)
    let isFrames = try section.bool("frames_themselves") ?? false
    switch (training, recipe, program, isFrames) {
    case (let file?, nil, nil, false): source = .training(file)
    case (nil, let file?, nil, false): source = .recipe(file)
    case (nil, nil, let file?, false): source = .program(file)
    case (nil, nil, nil, true): source = .frames
    default:
      throw section.failure("name", "\(name) needs one of training, recipe, program, and frames_themselves: true")
    }
    trials = try section.sections("trials").map { try Study.Trial($0, systems: systems) }
    try section.finish()
  }
}

extension Study.Trial {
  fileprivate init(_ section: ConfigurationSection, systems: [String]) throws {
    system = try section.choice("system", of: systems)
    frameCounts = try section.ints("frames") ?? []
    replicas = try section.int("replicas") ?? 1
    duration = try section.double("ps") ?? 1000
    cells = try section.int("cells") ?? 1
    density = try section.double("density") ?? 1
    guard !frameCounts.isEmpty, frameCounts.allSatisfy({ $0 > 0 }) else {
      throw section.failure("frames", "is \(frameCounts); expected numbers of training frames")
    }
    guard replicas > 0 else { throw section.failure("replicas", "is \(replicas); expected a positive number") }
    guard 1...10 ~= cells else { throw section.failure("cells", "is \(cells); expected 1 to 10") }
    guard 0.01...100 ~= density else {
      throw section.failure("density", "is \(density); expected a factor from 0.01 to 100")
    }
    guard duration > 0 else { throw section.failure("ps", "is \(duration); expected a positive time") }
    try section.finish()
  }
}

extension Study.Column {
  fileprivate init(_ section: ConfigurationSection) throws {
    measure = try section.required("measure")
    head = try section.text("head") ?? measure
    factor = try section.double("factor") ?? 1
    digits = try section.int("digits") ?? 3
    try section.finish()
  }
}

extension Study.Table {
  /// - Parameter tables: those before it, whose columns it may use.
  fileprivate init(
    _ section: ConfigurationSection, systems: [String], rows names: [String], before tables: [Study.Table]
  ) throws {
    name = try section.required("name")
    system = try section.choice("system", of: systems)
    rows = try section.choices("rows", of: names)
    frameCounts = try section.ints("frames")
    if section.node("columns_of") != nil {
      let other = try section.choice("columns_of", of: tables.map(\.name))
      columns = tables.first { $0.name == other }!.columns
      try section.finish()
      return
    }
    columns = try section.sections("columns").map { try Study.Column($0) }
    try section.finish()
  }
}

extension Study.Plot {
  fileprivate init(_ section: ConfigurationSection, systems: [String], rows names: [String]) throws {
    name = try section.required("name")
    system = try section.choice("system", of: systems)
    let curves = try section.sections("curves").map { curve in
      guard let count = try curve.int("frames") else {
        throw curve.failure("frames", "is missing: give the number of training frames")
      }
      let result = (row: try curve.choice("row", of: names), frameCount: count, label: try curve.text("label"))
      try curve.finish()
      return result
    }
    if !curves.isEmpty {
      kind = .rdf(curves)
    } else {
      let rows = try section.choices("rows", of: names)
      let measures = try section.sections("measures").map { try Study.Column($0) }
      if let label = try section.text("x_label") {
        guard let count = try section.int("frames") else {
          throw section.failure("frames", "is missing: give the number of training frames")
        }
        kind = .x(rows: rows, frameCount: count, measures: measures, label: label)
      } else {
        kind = .frames(rows: rows, measures: measures)
      }
    }
    try section.finish()
  }
}

// MARK: - Values that only studies have

extension ConfigurationSection {
  fileprivate func required(_ key: String) throws -> String {
    guard let text = try text(key) else { throw failure(key, "is missing") }
    return text
  }

  /// A name that has to be one of `names`.
  fileprivate func choice(_ key: String, of names: [String]) throws -> String {
    let text = try required(key)
    guard names.contains(text) else {
      throw failure(
        key, "is \"\(text)\"\(didYouMean(text, of: names)); expected one of \(names.joined(separator: ", "))")
    }
    return text
  }

  /// A list of names that have to be among `names`.
  fileprivate func choices(_ key: String, of names: [String]) throws -> [String] {
    let chosen = try texts(key) ?? []
    for text in chosen where !names.contains(text) {
      throw failure(
        key, "has \"\(text)\"\(didYouMean(text, of: names)); expected some of \(names.joined(separator: ", "))")
    }
    return chosen
  }

  /// The elements of a list of mappings; none where the key is absent.
  fileprivate func sections(_ key: String) throws -> [ConfigurationSection] {
    guard let node = node(key) else { return [] }
    guard case .list(let nodes) = node.value else { throw failure(key, "must be a list") }
    return try nodes.map { try ConfigurationSection($0, path: key) }
  }

  /// The mappings of a mapping, by name.
  fileprivate func entries(_ key: String) throws -> [(name: String, section: ConfigurationSection)] {
    try (node(key)?.mapping ?? []).map { ($0.key, try ConfigurationSection($0.node, path: "\(key).\($0.key)")) }
  }

  /// Lists of numbers by name.
  fileprivate func lists(_ key: String) throws -> [(name: String, values: [Double])] {
    let section = try section(key)
    return try (node(key)?.mapping ?? []).map { ($0.key, try section.doubles($0.key) ?? []) }
  }
}
