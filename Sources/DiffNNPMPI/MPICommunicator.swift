import DiffNNP
import DiffNNPTraining

/// The processes that `mpirun` has started together.
///
/// The MPI library is loaded when it is needed: programs that run alone start without it, and one program works with
/// Open MPI and with MPICH, whose functions are the same, but whose handles are not.
public final class MPICommunicator: Communicator {
  public let rank: Int
  public let count: Int
  private let library: MPILibrary

  /// Joins the processes that `mpirun` has started with this one; nil where it was started alone.
  /// - Throws: where there is no MPI library that fits the launcher.
  public static func ofLaunch(_ launch: Launch = .current) throws -> MPICommunicator? {
    guard let flavour = launch.flavour, launch.count > 1 else { return nil }
    return try MPICommunicator(MPILibrary(flavour), launched: launch.count)
  }

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
