import DiffNNP

extension TrainableNetwork {
  /// The gradient with respect to the parameters, summed over work items that were dealt to ranks; the same on all of
  /// them.
  /// - Parameter gradients: those of all items, from 0 on; only those of this rank's items need be filled.
  func parameterGradient(_ gradients: ArraySlice<Gradient>, over ranks: Ranks) throws -> [Double] {
    let own = ranks.items(of: gradients.count).map { gradients[$0] }
    return try ranks.sum(own.isEmpty ? [] : parameterGradient(own))
  }
}
