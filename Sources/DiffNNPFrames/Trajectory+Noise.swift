import DiffNNP

extension Trajectory {
  /// The same frames with noise, y = x + σε: what an exact run with the forces of that noise level must look like.
  /// - Parameter sigma: Å.
  public func noised(sigma: Double, seed: UInt64) -> Trajectory {
    let noised = frames.enumerated().map { k, frame in
      var (frame, random) = (frame, Philox(seed: seed, purpose: .noise, frame: k))
      for i in frame.positions.indices { frame.positions[i] += sigma * random.normal3() }
      frame.forces = nil
      return frame
    }
    return Trajectory(typeNames: typeNames, frames: noised)
  }
}
