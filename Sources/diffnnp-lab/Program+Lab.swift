import DiffNNPCommandLine

extension Program {
  /// The laboratory.
  static let lab = Program(
    name: "diffnnp-lab", purpose: "Compares ways to learn a potential, and the noise that they learn from.",
    commands: [RecipeCommand.self, StudyCommand.self, NoiseScanCommand.self])
}
