import DiffNNP

/// A kind of move, by which the pseudo-likelihood makes candidates: something of a configuration x is taken to a point z
/// drawn from a kernel q(z|x), and candidates from q(·|z). The kernel is symmetric, q(z|x) = q(x|z), so that x and the
/// candidates are exchangeable but for their density.
package protocol Move: Sendable {
  /// The largest distance of an atom from its position in any candidate (Å).
  var reach: Double { get }
  /// Number of things that can be moved in a frame of so many atoms.
  func subjectCount(atomCount: Int) -> Int
  /// Takes up one of these.
  /// - Parameter evaluator: has taken up the frame.
  /// - Returns: whether it poses choices at all; it is taken up only then.
  func begin(_ subject: Int, _ evaluator: LinearModelEvaluator) -> Bool
  /// Lets go of it again.
  func end(_ subject: Int, _ evaluator: LinearModelEvaluator)
  /// Draws candidates and computes the functions, for each of `candidates` and, first, for x itself.
  /// - Parameter turn: numbers choices evenly, for kernels that take turns.
  func draw(
    _ subject: Int, turn: Int, _ evaluator: LinearModelEvaluator, into candidates: inout Candidates,
    using random: inout Philox)
}

/// The configuration itself and candidates for it, by the functions of a linear model.
package struct Candidates: ~Copyable {
  /// Number of candidates, the configuration itself, number 0, included.
  package let count: Int
  private let functionCount: Int
  private let rows: Buffer<Double>
  /// Energies that no coefficient enters (kT), up to a constant [candidate]: of the known part and, where a move changes
  /// volumes in phase space, -log of its Jacobian.
  package var energies: [Double]

  init(count: Int, functionCount: Int) {
    (self.count, self.functionCount) = (count, functionCount)
    rows = Buffer(zeros: count * functionCount)
    energies = Array(repeating: 0, count: count)
  }

  /// The functions of a candidate, up to constants that are the same for all.
  @inline(__always)
  package func functions(_ candidate: Int) -> UnsafeMutablePointer<Double> {
    assert(0..<count ~= candidate)
    return rows.pointer + candidate * functionCount
  }
}
