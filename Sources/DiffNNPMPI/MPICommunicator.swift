import DiffNNP
import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// The processes that `mpirun` has started together.
///
/// The MPI library is loaded when it is needed: programs that run alone start without it, and one program works with Open MPI
/// and with MPICH, whose functions are the same, but whose handles are not.
public final class MPICommunicator: Communicator {
  public let rank: Int
  public let count: Int
  private let library: MPILibrary

  /// Nil where this process was started alone.
  /// - Throws: where there is no MPI library that fits the launcher.
  public static func ofLaunch() throws -> MPICommunicator? {
    for flavour in MPILibrary.Flavour.allCases {
      guard let size = environment(flavour.sizeVariable), size > 1 else { continue }
      return try MPICommunicator(MPILibrary(flavour), launched: size)
    }
    return nil
  }

  /// What the launcher calls this process, known before MPI is; 0 where it was started alone.
  public static var launchedRank: Int {
    MPILibrary.Flavour.allCases.lazy.compactMap { environment($0.rankVariable) }.first ?? 0
  }

  /// Processes that share this machine, by the launcher's word; 1 where it says nothing.
  public static var processesOnThisMachine: Int {
    max(1, MPILibrary.Flavour.allCases.lazy.compactMap { environment($0.localSizeVariable) }.first ?? 1)
  }

  private static func environment(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }

  private init(_ library: MPILibrary, launched: Int) throws {
    self.library = library
    try library.begin()
    (rank, count) = (try library.number("MPI_Comm_rank"), try library.number("MPI_Comm_size"))
    guard count == launched else {
      throw DiffNNPError(
        "\(launched) processes were started, but \(library.flavour.name) sees \(count) of them; use the mpirun that belongs to it"
      )
    }
  }

  public func unite(_ words: inout [UInt64]) throws { try library.unite(&words) }

  /// Ends MPI; no rank may be needed any more.
  public func end() { library.end() }
}
