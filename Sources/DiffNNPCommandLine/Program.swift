import DiffNNP
import DiffNNPMPI
import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// A program with verbs: finds the verb, and reports errors.
package struct Program {
  /// Name of the program, as it is typed.
  package let name: String
  /// What it is for: the sentence of its help page.
  package let purpose: String
  /// All verbs, in the order of the help page.
  package let commands: [any Command.Type]
  /// Verbs of other programs, each with what to type instead: "study" is "diffnnp-lab study".
  package let verbsElsewhere: [String: String]

  /// A program with its verbs.
  package init(name: String, purpose: String, commands: [any Command.Type], verbsElsewhere: [String: String] = [:]) {
    self.name = name
    self.purpose = purpose
    self.commands = commands
    self.verbsElsewhere = verbsElsewhere
  }

  /// Runs the command line that the process was started with, and returns the exit code.
  package func run() -> Int32 {
    // A file that grows beyond its limit is an error like any other, not the end of the program.
    signal(SIGXFSZ, SIG_IGN)
    return run(Array(CommandLine.arguments.dropFirst()))
  }

  /// Runs a command line, and returns the exit code.
  ///
  /// Where `mpirun` has started several processes, only the first prints. MPI is loaded for parallel verbs alone, so
  /// that all others work where it is not installed.
  func run(_ words: [String]) -> Int32 {
    let launch = Launch.current
    guard launch.count > 1 else {
      return exitCode(program: name) {
        guard let (command, arguments) = try parsed(words) else { return }
        try refuse(launch.stranger)
        if command is any ParallelCommand.Type, let tasks = launch.idleTasks {
          complain(
            name,
            "note: SLURM_NTASKS is \(tasks), and this is one process; to share the work, start it by mpirun -np \(tasks)"
          )
        }
        try command.run(arguments)
      }
    }
    // An error that all processes find is printed by the first alone. The others exit with 0, because a launcher stops
    // all processes where one fails, perhaps before the first has printed the error.
    func speaking(_ body: () throws -> Void) -> Int32 { launch.rank == 0 ? exitCode(program: name, body) : 0 }
    do {
      guard let (command, arguments) = try parsed(words, speaks: launch.rank == 0) else { return 0 }
      guard let parallel = command as? any ParallelCommand.Type else {
        throw UsageError("\(command.syntax.name) runs in one process; start it without mpirun")
      }
      let communicator: MPICommunicator?
      do { communicator = try MPICommunicator.ofLaunch(launch) } catch  where launch.rank > 0 {
        // MPI may be missing on this machine, and be there on that of another process.
        return verdict(on: error).exitCode
      }
      return communicator.map { run(parallel, arguments, $0) } ?? 0
    } catch { return speaking { throw error } }
  }

  /// Runs a verb in several processes, which all end in the same way.
  private func run(
    _ command: any ParallelCommand.Type, _ arguments: Arguments, _ communicator: MPICommunicator
  ) -> Int32 {
    defer { communicator.end() }
    let ranks = Ranks(communicator)
    var failure: RankFailure?
    do { try command.run(arguments, on: ranks) } catch let foreign as RankFailure { failure = foreign } catch {
      let (code, message) = verdict(on: error)
      failure = RankFailure(message, exitCode: code)
    }
    failure = ranks.finish(failure)
    if let failure, ranks.isFirst { complain(name, failure.message) }
    return failure?.exitCode ?? 0
  }

  /// - Throws: where an unknown launcher has started this process with others, which would write the same files.
  private func refuse(_ stranger: (name: String, variable: String)?) throws {
    guard let (launcher, variable) = stranger else { return }
    let shared = commands.filter { $0 is any ParallelCommand.Type }.map { "\(name) \($0.syntax.name)" }
    let advice = shared.isEmpty ? "" : ", or \(shared.joined(separator: ", ")) with the mpirun of Open MPI or MPICH"
    throw UsageError(
      "started by \(launcher) as one of several processes (\(variable)), each of which would do the whole work: start one"
        + "\(advice); if this is the only one, unset \(variable)")
  }

  /// The verb and its arguments; nil where help or the version was asked for, which is printed.
  /// - Parameter speaks: whether this process is the one that prints.
  private func parsed(
    _ words: [String], speaks: Bool = true
  ) throws -> (command: any Command.Type, arguments: Arguments)? {
    func say(_ text: String) { if speaks { print(text, terminator: "") } }
    guard let verb = words.first else { throw UsageError("no verb given; see \(name) --help") }
    switch verb {
    case "--help", "-h", "help": say(helpPage)
    case "--version": say("\(name) \(diffnnpVersion)\n")
    default:
      guard let command = commands.first(where: { $0.syntax.name == verb }) else {
        if let other = verbsElsewhere[verb] { throw UsageError("\(verb) is a verb of another program: run \(other)") }
        let verbs = commands.map { $0.syntax.name }
        throw UsageError("no verb \(verb)\(didYouMean(verb, of: verbs)); see \(name) --help")
      }
      let arguments = try Arguments(Array(words.dropFirst()), command.syntax)
      guard arguments.flag("--help") else { return (command, arguments) }
      say(command.syntax.helpPage)
    }
    return nil
  }

  private var helpPage: String {
    let width = commands.map { $0.syntax.name.count }.max() ?? 0
    let verbs = commands.map { "  \($0.syntax.name.padded(to: width))  \($0.syntax.summary)" }
    return """
      Usage: \(name) VERB …

      \(purpose)

      Verbs:
      \(verbs.joined(separator: "\n"))

      \(name) VERB --help explains a verb; \(name) --version tells the version.

      """
  }
}
