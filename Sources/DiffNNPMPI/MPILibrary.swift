import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// Functions of an MPI library (MPI 3.1), by their names.
final class MPILibrary: @unchecked Sendable {
  /// Libraries whose binary interface is known: it has been the same for many years.
  enum Flavour: CaseIterable {
    case openMPI, mpich

    var name: String { self == .openMPI ? "Open MPI" : "MPICH" }
    var file: String { self == .openMPI ? "libmpi.so.40" : "libmpi.so.12" }
    // What launchers tell the processes they start.
    var sizeVariable: String { self == .openMPI ? "OMPI_COMM_WORLD_SIZE" : "PMI_SIZE" }
    var rankVariable: String { self == .openMPI ? "OMPI_COMM_WORLD_RANK" : "PMI_RANK" }
    var localSizeVariable: String { self == .openMPI ? "OMPI_COMM_WORLD_LOCAL_SIZE" : "MPI_LOCALNRANKS" }
  }

  let flavour: Flavour
  private let library: UnsafeMutableRawPointer
  /// Handles as arguments: pointers to variables of the library in Open MPI, 32-bit numbers in MPICH.
  private let world: Int
  private let word: Int
  private let bitwiseOr: Int
  private var inPlace: Int { flavour == .openMPI ? 1 : -1 }

  /// Most words that are sent at once: counts are of 32 bits.
  private static let most = 1 << 24

  init(_ flavour: Flavour) throws {
    // Open MPI's own plugins look for its symbols among those of the program.
    guard let library = dlopen(flavour.file, RTLD_NOW | RTLD_GLOBAL) else {
      throw DiffNNPError(
        "started by the mpirun of \(flavour.name), whose library cannot be loaded: \(String(cString: dlerror()))")
    }
    self.flavour = flavour
    self.library = library
    switch flavour {
    case .openMPI:
      func variable(_ name: String) throws -> Int { Int(bitPattern: try Self.symbol(library, name)) }
      world = try variable("ompi_mpi_comm_world")
      word = try variable("ompi_mpi_unsigned_long")
      bitwiseOr = try variable("ompi_mpi_op_bor")
    case .mpich: (world, word, bitwiseOr) = (0x4400_0000, 0x4c00_0808, 0x5800_0008)
    }
  }

  private static func symbol(_ library: UnsafeMutableRawPointer, _ name: String) throws -> UnsafeMutableRawPointer {
    guard let symbol = dlsym(library, name) else { throw DiffNNPError("the MPI library has no \(name)") }
    return symbol
  }

  private func function<Function>(_ name: String, _ type: Function.Type) throws -> Function {
    unsafeBitCast(try Self.symbol(library, name), to: type)
  }

  private func check(_ status: Int32, _ name: String) throws {
    if status != 0 { throw DiffNNPError("\(name) failed with status \(status)") }
  }

  /// Calls MPI_Init.
  func begin() throws {
    typealias Initialise = @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Int32
    try check(function("MPI_Init", Initialise.self)(nil, nil), "MPI_Init")
  }

  /// Calls MPI_Comm_rank or MPI_Comm_size.
  func number(_ name: String) throws -> Int {
    typealias Ask = @convention(c) (Int, UnsafeMutablePointer<Int32>) -> Int32
    var number: Int32 = 0
    try check(function(name, Ask.self)(world, &number), name)
    return Int(number)
  }

  /// Calls MPI_Allreduce with the bitwise or, in place.
  func unite(_ words: inout [UInt64]) throws {
    typealias Reduce = @convention(c) (Int, UnsafeMutableRawPointer, Int32, Int, Int, Int) -> Int32
    let reduce = try function("MPI_Allreduce", Reduce.self)
    try words.withUnsafeMutableBufferPointer { words in
      for start in stride(from: 0, to: words.count, by: Self.most) {
        let count = min(Self.most, words.count - start)
        try check(
          reduce(inPlace, words.baseAddress! + start, Int32(count), word, bitwiseOr, world), "MPI_Allreduce")
      }
    }
  }

  /// Calls MPI_Finalize.
  func end() {
    typealias Finalise = @convention(c) () -> Int32
    if let finalise = try? function("MPI_Finalize", Finalise.self) { _ = finalise() }
  }
}
