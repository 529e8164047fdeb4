/// Finds forces that are not finite or too large, so that no simulation continues from them.
public enum ForceLimit {
  /// Number of nearest neighbours that a message names.
  private static let namedNeighbours = 3

  /// The message about the first force that is not finite or larger than `limit` (eV/Å): the atom, and its nearest
  /// neighbours, which are the usual reason. Nil where all forces are well.
  /// - Parameters:
  ///   - forces: eV/Å [atomCount][3].
  ///   - source: where the edges came from.
  ///   - name: what messages call an atom of the edges.
  public static func complaint(
    _ forces: UnsafePointer<Double>, _ source: any EdgeSource, limit: Double, name: (Int) -> String
  ) -> String? {
    // Squares of the largest numbers would be infinite, which must not pass.
    let squaredLimit = min(limit * limit, .greatestFiniteMagnitude)
    for i in 0..<source.atomCount {
      let (x, y, z) = (forces[3 * i], forces[3 * i + 1], forces[3 * i + 2])
      let squared = x * x + y * y + z * z
      // Not so either where it is not a number.
      if squared <= squaredLimit { continue }
      let excess = squared.isFinite && limit.isFinite ? ", more than \(Float(limit))" : ""
      let nearest = surroundings(i, source, name)
      return "force on atom \(name(i)) is \(Float(squared.squareRoot())) eV/Å\(excess); \(nearest)"
    }
    return nil
  }

  /// The nearest neighbours of an atom, with their distances. Ghosts have no edges of their own, but are pointed at.
  private static func surroundings(_ atom: Int, _ source: any EdgeSource, _ name: (Int) -> String) -> String {
    let edges = EdgeList()
    guard (try? source.fill(edges)) != nil else { return "its neighbours are unknown" }
    var found: [(distance: Double, atom: Int)] = []
    for centre in 0..<edges.centreCount {
      for e in Int(edges.offsets[centre])..<Int(edges.offsets[centre + 1]) {
        if centre == atom { found.append((edges.lengths[e], Int(edges.neighbours[e]))) }
        if atom >= edges.centreCount && edges.neighbours[e] == atom { found.append((edges.lengths[e], centre)) }
      }
    }
    guard !found.isEmpty else { return "it has no neighbours" }
    let nearest = found.sorted { $0.distance < $1.distance }.prefix(namedNeighbours)
    let parts = nearest.map { "\(name($0.atom)) at \(($0.distance * 1000).rounded() / 1000) Å" }
    return "nearest to it: \(parts.joined(separator: ", "))"
  }
}
