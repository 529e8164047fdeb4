import DiffNNP

/// The agreement of two columns that both give an atom's species: each value of one has to go with one value of the
/// other. Otherwise, to believe either would merge species.
struct SpeciesAgreement {
  private var second: [Int: Int] = [:]
  private var first: [Int: Int] = [:]

  /// Takes in the values of both columns for an atom.
  /// - Returns: nil where that agrees with the atoms before; else the two values of one column that the other has one
  ///   for.
  mutating func add(_ a: Int, _ b: Int) -> Conflict? {
    if second[a] == b { return nil }
    if let other = second[a] { return .oneFirst(a, seconds: (other, b)) }
    if let other = first[b] { return .oneSecond(b, firsts: (other, a)) }
    second[a] = b
    first[b] = a
    return nil
  }

  enum Conflict {
    case oneFirst(Int, seconds: (Int, Int))
    case oneSecond(Int, firsts: (Int, Int))
  }
}

extension SpeciesAgreement.Conflict {
  /// The conflict in words.
  /// - Parameters:
  ///   - columns: what both are called.
  ///   - names: of the values of each; nil where these are numbers.
  func text(_ columns: (String, String), _ names: ([String]?, [String]?)) -> String {
    func first(_ value: Int) -> String { names.0?[value] ?? "\(value)" }
    func second(_ value: Int) -> String { names.1?[value] ?? "\(value)" }
    let told =
      switch self {
      case .oneFirst(let a, let b): (columns.0, first(a), columns.1, second(b.0), second(b.1))
      case .oneSecond(let b, let a): (columns.1, second(b), columns.0, first(a.0), first(a.1))
      }
    return "\(told.0) \(told.1) stands for both \(told.3) and \(told.4) of \(told.2): they contradict one another"
  }
}
