import DiffNNP

extension Trajectory {
  /// The same frames with noise, y = x + σε: what an exact run with the forces of that noise level must look like.
  /// They are made one by one, as they are asked for.
  /// - Parameter sigma: Å.
  public func noised(sigma: Double, seed: UInt64) -> some Sequence<Frame> {
    frames.enumerated().lazy.map { k, frame in
      var (frame, random) = (frame, Philox(seed: seed, purpose: .validation, frame: k))
      for i in frame.positions.indices { frame.positions[i] += sigma * random.normal3() }
      frame.forces = nil
      return frame
    }
  }
}
