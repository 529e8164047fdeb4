import DiffNNPFrames

extension Frames {
  /// Number of atoms of each frame, found without reading the frame: the weights of means over atoms.
  package var atomCounts: [Double] { indices.map { Double(atomCount(at: $0)) } }
}
