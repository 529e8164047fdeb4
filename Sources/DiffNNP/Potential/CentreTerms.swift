/// The terms in which the energy of a centre follows from its own edges. Threads take shares of the centres; each but
/// the first sums forces in memory of its own, and these sums are added in the order of shares.
final class CentreTerms: SharedWork {
  /// The stage that a term's time is counted to, and a function that makes evaluators of the term.
  typealias Kind = (stage: StageClock.Stage, make: () -> any CentreEvaluating)

  /// The arguments of one call.
  private struct Job {
    let edges: Edges
    let scale: Double
    let energies: UnsafeMutablePointer<Double>
    let forces: ForceSums
    let shareCount: Int
  }

  /// Memory that belongs to one thread.
  private final class Scratch {
    /// The edges of a block.
    let edges = EdgeList()
    /// The error with which the thread's last work ended; nil where it succeeded.
    var error: (any Error)?
    var ownSums = OwnForceSums()
    let evaluators: [any CentreEvaluating]

    init(_ kinds: [Kind]) { evaluators = kinds.map { $0.make() } }
  }

  private enum Phase { case centres, gather }

  var clock: StageClock?
  /// Threads that share the work, which is split as long as each gets some atoms.
  var team: ThreadTeam? {
    didSet { scratch = (0..<(team?.count ?? 1)).map { _ in Scratch(kinds) } }
  }
  private let kinds: [Kind]
  private var scratch: [Scratch]
  private var job: Job?
  private var phase = Phase.centres

  init(_ kinds: [Kind]) {
    self.kinds = kinds
    scratch = [Scratch(kinds)]
  }

  /// Adds `scale` times the energies of the centres [centreCount], and the forces that follow from them.
  /// - Throws: what the source of the edges throws; `OutOfMemory`.
  func add(_ edges: Edges, scale: Double, energies: UnsafeMutablePointer<Double>, forces: ForceSums) throws {
    guard !kinds.isEmpty else { return }
    let job = Job(
      edges: edges, scale: scale, energies: energies, forces: forces,
      shareCount: Shares.count(atoms: edges.centreCount, threads: scratch.count))
    guard job.shareCount > 1, let team else { return try addCentres(job, share: 0, to: forces) }
    self.job = job
    defer { self.job = nil }
    phase = .centres
    team.run(self)
    for share in 0..<job.shareCount {
      guard let error = scratch[share].error else { continue }
      scratch.forEach { $0.error = nil }
      throw error
    }
    phase = .gather
    team.run(self)
  }

  func perform(share: Int) {
    guard let job, share < job.shareCount else { return }
    switch phase {
    case .centres:
      let scratch = scratch[share]
      do {
        if share > 0 { try scratch.ownSums.begin(like: job.forces, atomCount: job.edges.atomCount) }
        try addCentres(job, share: share, to: share > 0 ? scratch.ownSums.sums : job.forces)
      } catch {
        scratch.error = error
      }
    case .gather:
      let atoms = Shares.items(job.edges.atomCount, ofShare: share, among: job.shareCount)
      for other in 1..<job.shareCount {
        let sums = scratch[other].ownSums.sums
        job.forces.add(sums, atoms)
        if share == 0 { job.forces.addVirial(sums) }
      }
    }
  }

  private func addCentres(_ job: Job, share: Int, to forces: ForceSums) throws {
    let centres = Shares.centres(job.edges.centreCount, ofShare: share, among: job.shareCount)
    try job.edges.forEachBlock(of: centres, in: scratch[share].edges, clock: share == 0 ? clock : nil) {
      try add($0, $1, job, share: share, to: forces)
    }
  }

  private func add(_ edges: EdgeList, _ centres: Range<Int>, _ job: Job, share: Int, to forces: ForceSums) throws {
    let clock = share == 0 ? clock : nil
    for (kind, evaluator) in zip(kinds, scratch[share].evaluators) {
      clock?.enter(kind.stage)
      try evaluator.add(edges, centres: centres, scale: job.scale, energies: job.energies, forces: forces)
    }
  }
}
