import DiffNNP
import DiffNNPFrames

#if canImport(Glibc)
  import Glibc
#endif

/// Another program, run with its input given and its output captured.
public struct Subprocess: Sendable {
  /// Name (looked up on PATH) or path of the program; absolute where there is a directory to run in.
  public var program: String
  /// Arguments, without the program's name.
  public var arguments: [String]
  /// Directory to run in; nil for the present one.
  public var directory: String?

  /// A program with its arguments, which is not started yet.
  public init(_ program: String, _ arguments: [String] = [], directory: String? = nil) {
    self.program = program
    self.arguments = arguments
    self.directory = directory
  }

  /// The exit status and the output of a program.
  public struct Result: Sendable {
    /// Exit status; 128 + signal where a signal ended it, as shells report it.
    public let status: Int32
    /// Standard output, byte by byte.
    public let bytes: [UInt8]
    /// Standard error as text.
    public let error: String

    /// Standard output as text.
    public var output: String { String(decoding: bytes, as: UTF8.self) }
  }

  /// Runs to the end.
  /// - Throws: where the program cannot be started. Ending with a non-zero status does not throw.
  public func run(input: String = "") throws -> Result { try start(input: input).wait() }

  /// Starts the program without waiting for it.
  ///
  /// Input and output go through unnamed files: unlike pipes, they never fill up and block either side.
  /// - Throws: where the program cannot be started, or a temporary file cannot be made.
  public func start(input: String = "") throws -> Running {
    let streams = try (0..<3).map { _ in try TemporaryFile() }
    try streams[0].write(Array(input.utf8))
    try streams[0].rewind()

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (k, stream) in streams.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, stream.descriptor, Int32(k))
    }

    // POSIX has no way to spawn in another directory; coreutils' env has.
    let command = (directory.map { ["env", "-C", $0] } ?? []) + [program] + arguments
    var argv = command.map { strdup($0) } + [nil]
    defer { for a in argv { free(a) } }
    var pid = pid_t()
    let code = posix_spawnp(&pid, command[0], &actions, nil, &argv, environ)
    guard code == 0 else {
      throw DiffNNPError("cannot start \(program): \(String(cString: strerror(code)))")
    }
    return Running(pid: pid, output: streams[1], error: streams[2])
  }

  /// A program that runs, and has to be waited for.
  public struct Running {
    let pid: pid_t
    let output: TemporaryFile
    let error: TemporaryFile

    /// Waits until the program ends.
    /// - Throws: where the system knows the program no more.
    public func wait() throws -> Result {
      var status: Int32 = 0
      while waitpid(pid, &status, 0) < 0 {
        guard errno == EINTR else { throw DiffNNPError("lost a program: \(systemError())") }
      }
      let signal = status & 0x7f
      return Result(
        status: signal == 0 ? (status >> 8) & 0xff : 128 + signal, bytes: try output.contents(),
        error: String(decoding: try error.contents(), as: UTF8.self))
    }
  }

  /// The path of a program: beside the running one, or on PATH; nil where it is in neither. A name with a slash
  /// is a path already.
  public static func find(_ name: String) -> String? {
    guard !name.contains("/") else { return access(name, X_OK) == 0 ? name : nil }
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    var directories = path.split(separator: ":").map(String.init)
    if let own = ownDirectory() { directories.insert(own, at: 0) }
    return directories.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }

  /// The path of a program beside the running one; nil where it is not there.
  public static func besideThisProgram(_ name: String) -> String? {
    ownDirectory().map { "\($0)/\(name)" }.flatMap { access($0, X_OK) == 0 ? $0 : nil }
  }

  private static func ownDirectory() -> String? {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = buffer.withUnsafeMutableBytes { readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
    guard count > 0, let slash = buffer[..<count].lastIndex(of: UInt8(ascii: "/")) else { return nil }
    return String(decoding: buffer[..<slash], as: UTF8.self)
  }
}
