import DiffNNPCommandLine

extension Program {
  /// The main program.
  static let diffnnp = Program(
    name: "diffnnp",
    purpose: "Learns, by denoising, the potential behind equilibrium configurations, and works with it.",
    commands: [
      TrainCommand.self, ValidateCommand.self, RDFCommand.self, EvaluateCommand.self, InspectCommand.self,
      LearningCurveCommand.self, ImportNequIPCommand.self,
    ],
    verbsElsewhere: ["study": "diffnnp-lab study", "noise-scan": "diffnnp-lab noise-scan"])
}
