import DiffNNPMPI
import DiffNNPTraining

extension YAMLNode {
  /// The configuration of a training: that of the file which is the operand, or one that only names the operand as the
  /// frames, with the values of options set in it.
  /// - Throws: where the file cannot be read, or a value cannot be set.
  package static func training(_ arguments: Arguments, verb: String, _ ranks: Ranks = .one) throws -> YAMLNode {
    let operand = arguments.operands[0]
    let isConfiguration = [".yaml", ".yml"].contains { operand.hasSuffix($0) }
    var root = isConfiguration ? try YAMLNode.load(path: operand) : .empty(location: verb)
    if !isConfiguration { try root.set("frames=\(quoted(operand))", source: operand) }
    for (option, key) in [
      ("--output", "output"), ("--frames", "slice"), ("--objective", "objective"), ("--forces-name", "forces_name"),
    ] {
      if let text = arguments.text(option) { try root.set("\(key)=\(quoted(text))", source: option) }
    }
    for (option, key) in [
      ("--temperature", "temperature"), ("--seed", "seed"), ("--members", "members"), ("--threads", "threads"),
    ] {
      if let text = arguments.text(option) { try root.set("\(key)=\(text)", source: option) }
    }
    for (option, key) in [("--select", "select"), ("--types", "types"), ("--units", "units")] {
      guard let names = arguments.list(option) else { continue }
      try root.set("\(key)=[\(names.map(quoted).joined(separator: ", "))]", source: option)
    }
    if arguments.flag("--network"), !root.has("network") { try root.set("network={}", source: "--network") }
    for assignment in arguments.all("--set") { try root.set(assignment, source: "--set") }
    if ranks.count > 1, !root.has("threads") { try root.set("threads=\(threadsOfARank)", source: "mpirun") }
    return root
  }

  private func has(_ key: String) -> Bool { mapping?.contains { $0.key == key } == true }

  /// Number of threads of each process where several share a machine.
  private static var threadsOfARank: Int {
    min(
      Parallel.usableProcessorCount, max(1, Parallel.processorCount / Launch.current.countOnThisMachine))
  }

  /// Text that YAML reads as that text and nothing else.
  private static func quoted(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
  }
}
