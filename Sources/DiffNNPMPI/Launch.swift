#if canImport(Glibc)
  import Glibc
#endif

/// The variables by which launchers of several processes describe the launch to each of them.
public struct Launch {
  private let variable: (String) -> String?

  /// - Parameter variable: a variable of the environment.
  init(_ variable: @escaping (String) -> String?) { self.variable = variable }

  /// The launch of this process.
  public static let current = Launch { getenv($0).map { String(cString: $0) } }

  func number(_ name: String) -> Int? { variable(name).flatMap { Int($0) } }

  /// The library whose `mpirun` has started this process; nil where it was another launcher, or none.
  var flavour: MPILibrary.Flavour? { MPILibrary.Flavour.allCases.first { number($0.sizeVariable) != nil } }

  /// Number of processes that `mpirun` has started together; 1 for a process by itself.
  public var count: Int { max(1, flavour.flatMap { number($0.sizeVariable) } ?? 1) }

  /// Number of this process among them, from 0, known before MPI is started.
  public var rank: Int { flavour.flatMap { number($0.rankVariable) } ?? 0 }

  /// Number of these processes on this machine, by the launcher's word; 1 where it says nothing.
  public var countOnThisMachine: Int { max(1, flavour.flatMap { number($0.localSizeVariable) } ?? 1) }

  /// Tasks that Slurm was asked for, where this process is none of a step of several: it is alone, as in a batch script; nil elsewhere.
  public var idleTasks: Int? {
    guard flavour == nil, number("SLURM_STEP_NUM_TASKS") == nil else { return nil }
    return number("SLURM_NTASKS").flatMap { $0 > 1 ? $0 : nil }
  }

  // MARK: Launchers that say nothing to MPI libraries we know

  /// The names of an unknown launcher's variables for the number of processes and the rank.
  private struct Stranger {
    var name: String
    var size: String?
    var rank: String
    /// Whether the rank is also there for a process by itself: in a batch script of Slurm it is 0, and SLURM_NTASKS is
    /// what was asked for. Only steps, which srun starts, have the variable `size`.
    var isRankEverywhere = false
  }

  private static let strangers = [
    Stranger(name: "Slurm's srun", size: "SLURM_STEP_NUM_TASKS", rank: "SLURM_PROCID", isRankEverywhere: true),
    Stranger(name: "Flux", size: "FLUX_JOB_SIZE", rank: "FLUX_TASK_RANK"),
    Stranger(name: "jsrun", size: "JSM_NAMESPACE_SIZE", rank: "JSM_NAMESPACE_RANK"),
    Stranger(name: "MVAPICH2", size: "MV2_COMM_WORLD_SIZE", rank: "MV2_COMM_WORLD_RANK"),
    Stranger(name: "PALS", size: nil, rank: "PALS_RANKID"), Stranger(name: "ALPS", size: nil, rank: "ALPS_APP_PE"),
    Stranger(name: "PMIx", size: nil, rank: "PMIX_RANK"),
  ]

  /// A launcher that has started this process beside others, which would all do the same, and the variable that says
  /// so; nil where there is none, or `mpirun` is known.
  ///
  /// Where any launcher says that there is one process, those that only number theirs from 0 do not matter.
  public var stranger: (name: String, variable: String)? {
    guard flavour == nil else { return nil }
    for stranger in Self.strangers {
      if let size = stranger.size, let count = number(size), count > 1 { return (stranger.name, size) }
      if let rank = number(stranger.rank), rank > 0 { return (stranger.name, stranger.rank) }
    }
    guard !Self.strangers.contains(where: { $0.size.flatMap(number) != nil }) else { return nil }
    return Self.strangers.first { !$0.isRankEverywhere && number($0.rank) != nil }.map { ($0.name, $0.rank) }
  }
}
