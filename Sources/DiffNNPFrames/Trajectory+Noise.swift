import DiffNNP

extension Trajectory {
  /// The same frames with noise, y = x + σε: what an exact run with the forces of that noise level must look like.
  /// - Parameter sigma: Å.
  public func noised(sigma: Double, seed: UInt64) -> Trajectory {
    var noised = self
    for k in frames.indices {
      var random = Philox(seed: seed, purpose: .noise, frame: k)
      for i in frames[k].positions.indices { noised.frames[k].positions[i] += sigma * random.normal3() }
      noised.frames[k].forces = nil
    }
    return noised
  }
}
