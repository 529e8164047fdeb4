import DiffNNP
import DiffNNPCommandLine

/// The program: finds the verb, and says what went wrong.
enum Program {
  /// All verbs, in the order of the help page.
  static let commands: [any Command.Type] = [
    TrainCommand.self, ValidateCommand.self, RDFCommand.self, EvaluateCommand.self, InspectCommand.self,
    LearningCurveCommand.self, NoiseScanCommand.self, StudyCommand.self, ImportNequIPCommand.self,
  ]

  /// Runs a command line, and returns the exit code.
  static func run(_ words: [String]) -> Int32 { exitCode(program: "diffnnp") { try dispatch(words) } }

  private static func dispatch(_ words: [String]) throws {
    guard let verb = words.first else { throw UsageError("no verb given; see diffnnp --help") }
    switch verb {
    case "--help", "-h", "help": print(helpPage, terminator: "")
    case "--version": print("diffnnp \(diffnnpVersion)")
    default:
      guard let command = commands.first(where: { $0.syntax.name == verb }) else {
        let verbs = commands.map { $0.syntax.name }
        throw UsageError("no verb \(verb)\(didYouMean(verb, of: verbs)); see diffnnp --help")
      }
      let arguments = try Arguments(Array(words.dropFirst()), command.syntax)
      if arguments.flag("--help") {
        print(command.syntax.helpPage, terminator: "")
      } else {
        try command.run(arguments)
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
