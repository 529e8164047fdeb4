import DiffNNP
import DiffNNPAnalysis

#if canImport(Glibc)
  import Glibc
#endif

/// The LAMMPS program that verbs run.
package enum LAMMPSLauncher {
  /// The absolute path of --launcher or lmp-diffnnp, because runs have directories of their own.
  package static func path(_ arguments: Arguments) throws -> String {
    if let path = arguments.text("--launcher") { return try absolutePath(Subprocess.find(path) ?? path) }
    guard let path = Subprocess.find("lmp-diffnnp") else {
      throw DiffNNPError(
        "lmp-diffnnp is neither beside this program nor on PATH; build it with make, or name a LAMMPS with --launcher")
    }
    return try absolutePath(path)
  }

  /// The commands that make a LAMMPS run with a weight file.
  /// - Parameter options: of the pair style.
  package static func potential(model: String, typeNames: [String], options: String? = nil) throws -> [String] {
    [
      "pair_style diffnnp" + (options.map { " \($0)" } ?? ""),
      "pair_coeff * * \"\(try absolutePath(model))\" \(typeNames.joined(separator: " "))",
    ]
  }
}

/// The absolute path of a file that exists.
package func absolutePath(_ path: String) throws -> String {
  guard let resolved = realpath(path, nil) else { throw DiffNNPError("\(path): \(String(cString: strerror(errno)))") }
  defer { free(resolved) }
  return String(cString: resolved)
}
