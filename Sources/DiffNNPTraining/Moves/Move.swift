import DiffNNP

/// A kind of move by which the pseudo-likelihood makes candidates. A subject of the move, an atom, say, is taken from
/// its coordinates x to z, which is drawn from a kernel q(z|x), and candidates are drawn from q(·|z). The kernel is
/// symmetric, q(z|x) = q(x|z), so that x and its candidates differ only in their densities.
package protocol Move: Sendable {
  /// The largest distance of an atom from its position in any candidate (Å).
  var reach: Double { get }
  /// Number of subjects of the move in a frame with `atomCount` atoms.
  func subjectCount(atomCount: Int) -> Int
  /// Prepares one subject for `draw`.
  /// - Parameter evaluator: has begun the frame.
  /// - Returns: whether the subject has choices; where it has none, `draw` and `end` are not called.
  func begin(_ subject: Int, _ evaluator: LinearModelEvaluator) -> Bool
  /// Undoes `begin`.
  func end(_ subject: Int, _ evaluator: LinearModelEvaluator)
  /// Draws candidates, and computes the functions for x, number 0, and for each candidate.
  /// - Parameter turn: a running number of the choices, for moves that alternate between variants.
  func draw(
    _ subject: Int, turn: Int, _ evaluator: LinearModelEvaluator, into candidates: inout Candidates,
    using random: inout Philox)
}

/// The functions of a linear model for the configuration of a frame and for its candidates.
package struct Candidates: ~Copyable {
  /// Number of candidates, including the configuration itself, number 0.
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
