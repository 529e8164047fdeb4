import DiffNNP
import DiffNNPFrames

// Judging a run from what it left in its directory.
extension Validation.Run {
  /// A temperature so many standard deviations above its target does not come from the canonical ensemble.
  private static let hot = 10.0

  /// - Parameter expected: g(r) that the run should have: that of the frames, with the noise that the potential belongs to.
  init(
    _ result: Subprocess.Result, _ start: String, directory: String, settings: Validation.Settings,
    expected: RadialDistribution
  ) throws {
    let logPath = "\(directory)/\(LAMMPSSimulation.logName)"
    let text = (try? FileIO.read(logPath)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    let log = LAMMPSLog(parsing: text)
    guard log.steps.count > 1 else {
      let lines = result.error.split(separator: "\n")
      let reason = log.error ?? lines.first { $0.hasPrefix("ERROR") }.map(String.init) ?? lines.last.map(String.init)
      throw DiffNNPError(
        "LAMMPS did not start (status \(result.status)): \(reason ?? "it gave no reason"); see \(logPath)")
    }
    let end = Double(log.steps.last!) * settings.timestep / 1000
    var failures: [(time: Double, reason: String)] = []
    if result.status != 0 {
      failures.append((end, "LAMMPS stopped with status \(result.status): \(log.error ?? "no reason given")"))
    }
    let (trajectory, unreadable) = try Self.readableFrames(
      "\(directory)/\(LAMMPSSimulation.dumpName)", species: expected.typeNames, count: log.steps.count)
    // Frames that repeat one before may be left out: times are those of the numbers.
    func time(_ frame: Frame) -> Double { Double(frame.number) * settings.dumpTime }
    if let unreadable { failures.append((time(trajectory.frames.last!) + settings.dumpTime, unreadable)) }
    failures += [
      Self.firstHeat(log, atomCount: trajectory.frames[0].positions.count, settings),
      try Self.firstCollapse(trajectory, settings, expected),
    ].compactMap { $0 }

    let failure = failures.min { $0.time < $1.time }
    let stable = failure?.time ?? end
    let reached = trajectory.frames.prefix { time($0) <= stable }
    grades = try settings.grade.map { try GradeSummary(reached, $0, interval: settings.dumpTime) }
    let kept = trajectory.frames.indices.filter {
      let time = time(trajectory.frames[$0])
      return time >= settings.discarded && time < stable
    }
    self.start = start
    self.log = log
    stableTime = stable
    self.failure = failure?.reason
    self.frames = Trajectory(typeNames: trajectory.typeNames, frames: trajectory.frames.at(kept))
    temperature = Self.meanTemperature(log, settings)
  }

  /// The frames of a dump up to the first that cannot be used, say because a position is no number or two atoms are at
  /// one position, and the reason.
  private static func readableFrames(
    _ path: String, species: [String], count: Int
  ) throws -> (Trajectory, unreadable: String?) {
    func read(_ count: Int) throws -> Trajectory {
      let read = try Trajectory.read(path: path, TrajectorySelection(stop: count))
      // A start without a species makes a run without it.
      let types = read.typeNames.map { species.firstIndex(of: $0) }
      guard !types.contains(nil) else {
        throw DiffNNPError("\(path): expected atoms of \(species.joined(separator: ", ")), found \(read.typeNames)")
      }
      return Trajectory(typeNames: species, frames: read.frames.renumbered(types.map { $0! }))
    }
    do { return (try read(count), nil) } catch {
      var (readable, unreadable) = (1, count)
      while unreadable - readable > 1 {
        let middle = (readable + unreadable) / 2
        if (try? read(middle)) != nil { readable = middle } else { unreadable = middle }
      }
      return (try read(readable), "\(error)")
    }
  }

  /// The first temperature that is no fluctuation of the canonical ensemble, whose standard deviation is T √(2/3N).
  private static func firstHeat(
    _ log: LAMMPSLog, atomCount: Int, _ settings: Validation.Settings
  ) -> (time: Double, reason: String)? {
    let limit = settings.temperature * (1 + hot * (2 / (3 * Double(atomCount))).squareRoot())
    guard let k = log.temperatures.firstIndex(where: { !($0 < limit) }) else { return nil }
    return (
      Double(log.steps[k]) * settings.timestep / 1000,
      "the temperature reached \(log.temperatures[k].fixed(0)) K, where fluctuations end at \(limit.fixed(0)) K"
    )
  }

  /// The first pair of atoms that is so close that it must have fallen into a hole of the potential.
  private static func firstCollapse(
    _ trajectory: Trajectory, _ settings: Validation.Settings, _ expected: RadialDistribution
  ) throws -> (time: Double, reason: String)? {
    guard let watch = CollapseWatch(expected) else { return nil }
    for frame in trajectory.frames {
      guard let (pair, found, smallest) = try watch.collapse(in: frame) else { continue }
      return (
        Double(frame.number) * settings.dumpTime,
        "a \(pair.label(expected.typeNames)) distance fell to \(found.fixed(2)) Å, where the frames have none below "
          + "\(smallest.fixed(2)) Å"
      )
    }
    return nil
  }

  private static func meanTemperature(
    _ log: LAMMPSLog, _ settings: Validation.Settings
  ) -> (mean: Double, error: Double) {
    let values = zip(log.steps, log.temperatures).filter {
      Double($0.0) * settings.timestep / 1000 >= settings.discarded
    }.map(\.1)
    return BlockStatistics.mean(values)
  }
}

/// Finds pairs of atoms much closer than any in the frames that a potential was made from.
private struct CollapseWatch {
  /// A distance below this fraction of the smallest one in the frames is a collapse.
  private static let collapseFraction = 0.7

  private let typeCount: Int
  /// Smallest distance of each pair in the frames (Å), zero where there was none.
  private let smallestDistances: [Double]
  private let edges = EdgeList()
  private let search = NeighbourSearch()

  /// Nil where no distances are known.
  init?(_ frames: RadialDistribution) {
    typeCount = frames.typeNames.count
    smallestDistances = frames.counts?.smallestDistances.map { $0 ?? 0 } ?? []
    guard smallestDistances.contains(where: { $0 > 0 }) else { return nil }
  }

  func collapse(in frame: Frame) throws -> (pair: TypePair, found: Double, smallest: Double)? {
    try search.fill(edges, frame.configuration, cutoff: Self.collapseFraction * smallestDistances.max()!)
    for i in 0..<edges.centreCount {
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) {
        let pair = TypePair(Int(edges.types[i]), Int(edges.types[Int(edges.neighbours[e])]))
        let smallest = smallestDistances[TypePairs.index(pair.first, pair.second, typeCount: typeCount)]
        if edges.lengths[e] < Self.collapseFraction * smallest { return (pair, edges.lengths[e], smallest) }
      }
    }
    return nil
  }
}
