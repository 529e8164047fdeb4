import DiffNNPFrames

extension Frames {
  /// Number of atoms of each frame, which need not be read for that: the weights of means over atoms.
  package var atomCounts: [Double] { indices.map { Double(atomCount(at: $0)) } }
}
