/// How many choices the pseudo-likelihood is summed over.
enum MinimisationEffort {
  /// Few, for the steps towards the minimum.
  case low
  /// For the final result: several choices per atom where frames are few.
  case full

  /// Largest number of choices over all frames. Where there are more atoms, they are subsampled evenly.
  func choices(_ model: LinearModel) -> Int { self == .low ? 12_000 : model.choiceCount }

  /// Approximate number of candidates, drawn at random, in the sum for the Hessian. Errors of the Hessian affect the
  /// steps but not the minimum; the more functions there are, the more steps a smaller number would cost.
  func hessianCandidates(_ model: LinearModel) -> Double { Double(model.choiceCount / 3) }

  /// Largest number of Newton steps, which matters where two equally good priors are chosen alternately.
  var mostSteps: Int { self == .low ? 20 : 3 }

  /// Newton steps end when the predicted decrease of the objective per coefficient is below this. The statistical
  /// uncertainty of a coefficient amounts to ½.
  static let tolerance = 0.1
}
