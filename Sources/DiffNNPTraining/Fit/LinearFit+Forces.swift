import DiffNNP
import DiffNNPFrames

extension LinearFit {
  /// - Throws: where a frame has no forces, or all forces are zero.
  func requireForces(_ frames: Frames) throws {
    var isSomething = false
    for frame in frames {
      guard let forces = frame.forces else {
        throw DiffNNPError(
          "frame \(frame.number) has no forces; objective \(settings.objective.rawValue) needs them in every frame")
      }
      isSomething = isSomething || forces.contains { $0 != .zero }
    }
    guard isSomething else {
      throw DiffNNPError(
        "all forces are 0, so they are no forces of these configurations; write them to the file, or train with objective: "
          + "denoising, which needs none")
    }
  }

  /// Compares the forces with what the configurations alone imply about them (see `ForceScale`).
  /// - Throws: where they cannot be the forces, in eV/Å, of frames at this temperature.
  func checkForces(_ frames: Frames, _ scores: PairScores, smoothness: Double, _ typeNames: [String]) throws {
    let measured = try ForceScale.measure(
      frames, scores, smoothness: smoothness, thermalEnergy: thermalEnergy, threads: settings.threads,
      ranks: settings.ranks)
    func refuse(_ scale: ForceScale, _ name: String) throws -> Never {
      let cause = scale.cause(temperature: temperature).map { ": \($0)" } ?? ""
      throw DiffNNPError(
        "forces\(name) are \(scale.text) times what the configurations at \(temperature) K say, where 1 is right\(cause); give "
          + "them in eV/Å, or say their units, or train with objective: denoising, which needs none")
    }
    for (name, scale) in zip(typeNames, measured.all) where scale.isWrong { try refuse(scale, " on \(name)") }
    if measured.together.isWrong { try refuse(measured.together, "") }
    for (half, scales) in zip(["first", "second"], measured.halves) {
      for (name, scale) in zip(typeNames, scales) where scale.isFarOff {
        try refuse(scale, " on \(name) in the \(half) half of the frames")
      }
    }
    let known = zip(typeNames, measured.all).filter { $0.1.isKnown }.map { "\($0) \($1.text)" }
    progress(
      known.isEmpty
        ? "forces: these frames are too few to tell whether they are in eV/Å"
        : "forces over what the configurations say of them, 1 where units and temperature are right: "
          + known.joined(separator: ", "))
  }
}
