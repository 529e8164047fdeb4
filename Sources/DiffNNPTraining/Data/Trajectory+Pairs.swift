import DiffNNP
import DiffNNPFrames

extension Trajectory {
  /// Checks that some pair of atoms is closer than a cutoff (Å).
  /// - Parameter name: what to call the cutoff in errors.
  /// - Throws: where no two atoms of any frame are closer, so that nothing could be learned about pairs; and where the
  ///   cutoff is far too large for a cell.
  public func requirePairs(within cutoff: Double, _ name: String) throws {
    guard frames.contains(where: { $0.positions.count > 1 }) else {
      throw DiffNNPError("no frame has more than one atom; there are no pairs to learn from")
    }
    let (edges, search) = (EdgeList(), NeighbourSearch())
    for frame in frames {
      try naming("frame \(frame.number)") { try search.fill(edges, frame.configuration, cutoff: cutoff) }
      // The distances of an atom from its own images do not depend on the potential.
      let pairs = (0..<edges.centreCount).contains { i in
        (edges.offsets[i]..<edges.offsets[i + 1]).contains { edges.neighbours[Int($0)] != Int32(i) }
      }
      if pairs { return }
    }
    throw DiffNNPError("\(name) is \(cutoff) Å, and no two atoms of the frames are closer; give a larger cutoff")
  }
}
