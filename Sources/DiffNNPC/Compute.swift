import CDiffNNP
import DiffNNP

extension Workspace {
  /// Computes with the neighbour list of the caller.
  /// - Parameter functions: how values travel, where the atoms are spread over several domains.
  func compute(
    _ list: NeighbourList, _ functions: AtomExchange.Functions?, _ results: inout diffnnp_results
  ) throws {
    let potential = evaluator.potential
    if potential.isManyBody && list.owners == nil && functions == nil {
      throw Failure(
        DIFFNNP_ERROR_UNSUPPORTED,
        "triplets and networks need `owners` of the ghosts, or `exchange` where atoms are spread over several domains")
    }
    // Pairs need nothing of other domains.
    let functions = potential.isManyBody ? functions : nil
    do {
      try reader.begin(
        list, cutoff: potential.rMax, typeCount: potential.typeNames.count, refusesPartialWeights: potential.isManyBody)
      if let functions { try begin(functions, list, rows: reader.rows) }
      // Pairs without owners leave everything with the centres: ghosts of this domain are atoms of another.
      try compute(
        reader, folding: potential.isManyBody || list.owners != nil ? .neighbours : .centres,
        exchange: functions == nil ? nil : exchange, &results)
    } catch {
      if let functions { try standIn(functions, list) }
      throw error
    }
    if functions != nil && exchange.failed {
      throw Failure(DIFFNNP_ERROR_EXCHANGE, "a function of `exchange` reported failure")
    }
    try check(results, reader) { [rows = reader.rows] in list.name(Int(rows![$0])) }
    spread(results, list)
  }

  /// - Throws: where a result makes no sense. Forces are in the order of the edges' atoms.
  private func check(_ results: diffnnp_results, _ source: any EdgeSource, name: (Int) -> String) throws {
    let limit = results.max_force > 0 ? results.max_force : .infinity
    if let reason = results.forces.flatMap({ ForceLimit.complaint($0, source, limit: limit, name: name) }) {
      throw Failure(DIFFNNP_ERROR_FORCE, reason)
    }
    guard results.energy.isFinite else { throw Failure(DIFFNNP_ERROR_FORCE, "the energy is \(results.energy)") }
  }

  /// Makes the exchanges that the other domains wait for, with zeros.
  private func standIn(_ functions: AtomExchange.Functions, _ list: NeighbourList) throws {
    try begin(functions, list, rows: nil)
    exchange.standIn(widths: exchangeWidths)
  }

  private func begin(_ functions: AtomExchange.Functions, _ list: NeighbourList, rows: UnsafePointer<Int32>?) throws {
    try exchange.begin(
      functions, precision: evaluator.precision, rowCount: list.allCount, rows: rows, widths: exchangeWidths)
  }

  /// Moves results to the positions of the caller's atoms in its arrays.
  private func spread(_ wanted: diffnnp_results, _ list: NeighbourList) {
    wanted.atom_energies.map { reader.spread($0, width: 1, count: reader.centreCount, rowCount: list.localCount) }
    wanted.atom_grades.map { reader.spread($0, width: 1, count: reader.centreCount, rowCount: list.localCount) }
    let (count, rowCount) = (reader.atomCount, list.allCount)
    wanted.forces.map { reader.spread($0, width: 3, count: count, rowCount: rowCount) }
    wanted.atom_virials.map { reader.spread($0, width: 6, count: count, rowCount: rowCount) }
    wanted.centroid_virials.map { reader.spread($0, width: 9, count: count, rowCount: rowCount) }
  }

  /// Computes a system of atoms in a periodic cell.
  func compute(_ system: diffnnp_periodic_system, _ results: inout diffnnp_results) throws {
    let potential = evaluator.potential
    let count = try checkCount(system.natoms, "natoms")
    let x = try required(system.positions, "positions", unless: count == 0)
    let types = try required(system.types, "types", unless: count == 0)
    let cell = try Cell(checking: system)
    for i in 0..<count where types[i] < 0 || types[i] >= potential.typeNames.count {
      throw DiffNNPError("type of atom \(i) is \(types[i]); expected 0...\(potential.typeNames.count - 1)")
    }
    try search.begin(
      cell: cell, packedPositions: x, types: UnsafeBufferPointer(start: types, count: count), cutoff: potential.rMax)
    try compute(search, folding: .neighbours, &results)
    try check(results, search) { "\($0)" }
  }

  /// Computes with the edges of a source; results are in the order of its atoms.
  private func compute(
    _ source: any EdgeSource, folding: ForceFolding, exchange: AtomExchange? = nil,
    _ results: inout diffnnp_results
  ) throws {
    let wanted = results
    results.energy = try evaluator.compute(
      source, folding: folding, exchange: exchange,
      into: Evaluator.Outputs(
        atomEnergies: wanted.atom_energies, forces: wanted.forces, virial: wanted.virial,
        atomVirials: wanted.atom_virials, centroidVirials: wanted.centroid_virials,
        atomGrades: wanted.atom_grades))
  }
}

extension NeighbourList {
  /// The neighbour list in a system of the caller, with counts and pointers checked; the contents are checked when they
  /// are used.
  init(checking system: diffnnp_system) throws {
    let nlocal = try checkCount(system.nlocal, "nlocal")
    let nall = try checkCount(system.nall, "nall")
    let inum = try checkCount(system.inum, "inum")
    guard nlocal <= nall, inum <= nlocal else {
      throw Failure(
        DIFFNNP_ERROR_ARGUMENT, "inum is \(inum), nlocal \(nlocal), nall \(nall); expected inum <= nlocal <= nall")
    }
    guard system.owners == nil || system.exchange == nil else {
      throw Failure(
        DIFFNNP_ERROR_ARGUMENT, "both owners and exchange are given; owners are for one domain, exchange is for several"
      )
    }
    self.init(
      localCount: nlocal, allCount: nall,
      positions: try required(system.positions, "positions", unless: nall == 0),
      types: try required(system.types, "types", unless: nall == 0),
      listed: try required(system.ilist, "ilist", unless: inum == 0), listedCount: inum,
      counts: try required(system.numneigh, "numneigh", unless: inum == 0),
      neighbours: try required(system.firstneigh, "firstneigh", unless: inum == 0),
      mask: system.neighbour_mask == 0 ? -1 : system.neighbour_mask, weights: try SpecialWeights(checking: system),
      owners: system.owners, ids: try AtomIDs(checking: system))
  }
}

extension SpecialWeights {
  /// The weights in a system of the caller; nil where every neighbour counts fully.
  fileprivate init?(checking system: diffnnp_system) throws {
    guard let given = system.special_weights else { return nil }
    let weights = SIMD4(given[0], given[1], given[2], given[3])
    for kind in 0..<4 where !(weights[kind] >= 0 && weights[kind].isFinite) {
      throw Failure(
        DIFFNNP_ERROR_ARGUMENT, "special_weights[\(kind)] is \(weights[kind]); expected 0 or a positive number")
    }
    let shift = system.special_shift
    guard (1...30).contains(shift), system.neighbour_mask != 0, system.neighbour_mask & (3 << shift) == 0 else {
      throw Failure(
        DIFFNNP_ERROR_ARGUMENT,
        "special_shift is \(shift) and neighbour_mask \(system.neighbour_mask); expected 1 to 30, and a mask without "
          + "the two bits from there on")
    }
    if weights == .one { return nil }
    self.init(ofKind: weights, shift: shift)
  }
}

extension AtomIDs {
  /// The names of atoms in a system of the caller; nil where it gives none.
  fileprivate init?(checking system: diffnnp_system) throws {
    guard let ids = system.ids else { return nil }
    switch system.id_size {
    case 4: self = .narrow(ids.assumingMemoryBound(to: Int32.self))
    case 8: self = .wide(ids.assumingMemoryBound(to: Int64.self))
    default: throw Failure(DIFFNNP_ERROR_ARGUMENT, "id_size is \(system.id_size); expected 4 or 8")
    }
  }
}

extension AtomExchange.Functions {
  /// The functions of the caller; nil where there are none.
  init?(checking exchange: UnsafePointer<diffnnp_exchange>?) throws {
    guard let exchange else { return nil }
    let given = try known(exchange, "diffnnp_exchange")
    guard (given.forward_single == nil) == (given.reverse_single == nil) else {
      throw Failure(
        DIFFNNP_ERROR_ARGUMENT, "of forward_single and reverse_single of exchange one is NULL; expected both or neither"
      )
    }
    self.init(
      forward: try required(given.forward, "forward of exchange"),
      reverse: try required(given.reverse, "reverse of exchange"),
      single: given.forward_single.flatMap { forward in given.reverse_single.map { (forward, $0) } },
      context: given.context)
  }
}

extension Cell {
  /// The cell in a system of the caller.
  init(checking system: diffnnp_periodic_system) throws {
    let rows = try required(system.cell, "cell")
    let flags = system.periodic
    for flag in [flags.0, flags.1, flags.2] where flag != 0 && flag != 1 {
      throw Failure(DIFFNNP_ERROR_ARGUMENT, "periodic has \(flag); expected 0 or 1")
    }
    try self.init(
      vectors: (0..<3).map { SIMD3(rows[3 * $0], rows[3 * $0 + 1], rows[3 * $0 + 2]) },
      periodic: [flags.0 == 1, flags.1 == 1, flags.2 == 1])
  }
}

extension Precision {
  init?(_ precision: diffnnp_precision) {
    switch precision {
    case DIFFNNP_SINGLE: self = .single
    case DIFFNNP_DOUBLE: self = .double
    default: return nil
    }
  }
}
