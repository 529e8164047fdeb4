/// The terms that are linear in their coefficients, pairs and triplets. Threads take shares of the centres; each but the first
/// sums forces in memory of its own, and these sums are added in the order of shares.
final class LinearTerms: SharedWork {
  /// Of one call.
  private struct Job {
    let edges: EdgeList
    let scale: Double
    let energies: UnsafeMutablePointer<Double>
    let forces: ForceSums
    let shareCount: Int
  }

  /// What a thread needs for itself.
  private final class Scratch {
    var pairs = Buffer<SIMD4<Double>>()
    var triplets = TripletScratch()
    var ownSums = OwnForceSums()
  }

  private enum Phase { case centres, gather }

  var clock: StageClock?
  /// Threads that share the work, as long as each has some atoms.
  var team: ThreadTeam? {
    didSet { scratch = (0..<(team?.count ?? 1)).map { _ in Scratch() } }
  }
  private let pair: PairTerm?
  private let triplets: TripletTerm?
  private var scratch = [Scratch()]
  private var job: Job?
  private var phase = Phase.centres

  init(_ potential: Potential) {
    pair = potential.pair
    triplets = potential.triplets
  }

  /// Adds `scale` times the energies of the centres [centreCount], and the forces that follow from them.
  func add(_ edges: EdgeList, scale: Double, energies: UnsafeMutablePointer<Double>, forces: ForceSums) {
    guard pair != nil || triplets != nil else { return }
    let job = Job(
      edges: edges, scale: scale, energies: energies, forces: forces,
      shareCount: Shares.count(atoms: edges.centreCount, threads: scratch.count))
    guard job.shareCount > 1, let team else { return addCentres(job, share: 0, to: forces) }
    self.job = job
    phase = .centres
    team.run(self)
    phase = .gather
    team.run(self)
    self.job = nil
  }

  func perform(share: Int) {
    guard let job, share < job.shareCount else { return }
    switch phase {
    case .centres:
      guard share > 0 else { return addCentres(job, share: 0, to: job.forces) }
      scratch[share].ownSums.begin(like: job.forces, atomCount: job.edges.atomCount)
      addCentres(job, share: share, to: scratch[share].ownSums.sums)
    case .gather:
      let atoms = Shares.items(job.edges.atomCount, ofShare: share, among: job.shareCount)
      for other in 1..<job.shareCount {
        let sums = scratch[other].ownSums.sums
        job.forces.add(sums, atoms)
        if share == 0 { job.forces.addVirial(sums) }
      }
    }
  }

  /// Centres that go through both terms together, so that for triplets their edges are still in the second-level cache.
  private static let blockSize = 128

  private func addCentres(_ job: Job, share: Int, to forces: ForceSums) {
    let centres = Shares.items(job.edges.centreCount, ofShare: share, among: job.shareCount)
    for first in stride(from: centres.lowerBound, to: centres.upperBound, by: Self.blockSize) {
      addBlock(job, first..<min(first + Self.blockSize, centres.upperBound), share: share, to: forces)
    }
  }

  private func addBlock(_ job: Job, _ centres: Range<Int>, share: Int, to forces: ForceSums) {
    let clock = share == 0 ? clock : nil
    if let pair {
      clock?.enter(.pair)
      pair.add(
        job.edges, centres: centres, scale: job.scale, energies: job.energies, forces: forces,
        scratch: &scratch[share].pairs)
    }
    guard let triplets else { return }
    clock?.enter(.triplets)
    triplets.add(
      job.edges, centres: centres, scale: job.scale, energies: job.energies, forces: forces,
      scratch: &scratch[share].triplets)
  }
}
