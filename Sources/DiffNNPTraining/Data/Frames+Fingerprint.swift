import DiffNNP
import DiffNNPFrames

extension Frames {
  /// Hash of the frames' cells, positions, types and forces.
  var fingerprint: Fingerprint {
    var fingerprint = Fingerprint()
    func add(_ vectors: [SIMD3<Double>]) {
      for x in vectors { for k in 0..<3 { fingerprint.add(x[k].bitPattern) } }
    }
    for frame in self {
      add(frame.cell.vectors + frame.positions + (frame.forces ?? []))
      for isPeriodic in frame.cell.periodic { fingerprint.add(isPeriodic ? 1 : 0 as UInt64) }
      for type in frame.types { fingerprint.add(UInt64(type)) }
    }
    return fingerprint
  }
}
