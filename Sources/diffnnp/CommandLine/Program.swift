import DiffNNP
import DiffNNPCommandLine
import DiffNNPMPI
import DiffNNPTraining

/// The program: finds the verb, and says what went wrong.
enum Program {
  /// All verbs, in the order of the help page.
  static let commands: [any Command.Type] = [
    TrainCommand.self, ValidateCommand.self, RDFCommand.self, EvaluateCommand.self, InspectCommand.self,
    LearningCurveCommand.self, NoiseScanCommand.self, StudyCommand.self, ImportNequIPCommand.self,
  ]

  /// Runs a command line, and returns the exit code.
  ///
  /// Where `mpirun` has started several processes, the first speaks for all, and all end in the same way.
  static func run(_ words: [String]) -> Int32 {
    let communicator: MPICommunicator?
    do { communicator = try MPICommunicator.ofLaunch() } catch {
      return MPICommunicator.launchedRank == 0 ? exitCode(program: name) { throw error } : verdict(on: error).exitCode
    }
    guard let communicator else { return exitCode(program: name) { try dispatch(words, .one) } }
    defer { communicator.end() }
    let ranks = Ranks(communicator)
    var failure: RankFailure?
    do { try dispatch(words, ranks) } catch let foreign as RankFailure { failure = foreign } catch {
      let (code, message) = verdict(on: error)
      failure = RankFailure(message, exitCode: code)
    }
    failure = ranks.finish(failure)
    if let failure, ranks.isFirst { complain(name, failure.message) }
    return failure?.exitCode ?? 0
  }

  private static let name = "diffnnp"

  private static func dispatch(_ words: [String], _ ranks: Ranks) throws {
    guard let verb = words.first else { throw UsageError("no verb given; see diffnnp --help") }
    switch verb {
    case "--help", "-h", "help": if ranks.isFirst { print(helpPage, terminator: "") }
    case "--version": if ranks.isFirst { print("diffnnp \(diffnnpVersion)") }
    default:
      guard let command = commands.first(where: { $0.syntax.name == verb }) else {
        let verbs = commands.map { $0.syntax.name }
        throw UsageError("no verb \(verb)\(didYouMean(verb, of: verbs)); see diffnnp --help")
      }
      let arguments = try Arguments(Array(words.dropFirst()), command.syntax)
      if arguments.flag("--help") {
        if ranks.isFirst { print(command.syntax.helpPage, terminator: "") }
      } else {
        try command.run(arguments, on: ranks)
      }
    }
  }

  private static var helpPage: String {
    let width = commands.map { $0.syntax.name.count }.max() ?? 0
    let verbs = commands.map { "  \($0.syntax.name.padded(to: width))  \($0.syntax.summary)" }
    return """
      Usage: diffnnp VERB …

      Learns, by denoising, the potential behind equilibrium configurations, and works with it.

      Verbs:
      \(verbs.joined(separator: "\n"))

      diffnnp VERB --help explains a verb; diffnnp --version tells the version.

      """
  }
}
