@testable import DiffNNP

/// A term that no release has, made up here to show what one needs: a centre's energy is k ρ², with the smooth count of neighbours
/// ρ = Σ_j (1 - r_ij²/R²)³.
struct MadeUpTerm: Term {
  static let name = "made-up"

  let typeCount: Int
  let rMax: Double
  /// k of each type of centre.
  let strengths: [Double]

  var isManyBody: Bool { true }
  var summary: [String] { ["squares of counts up to \(rMax) Å"] }

  var stored: StoredTerm {
    StoredTerm(
      settings: ["r_max": .number(rMax)],
      tensors: [NamedTensor(name: "made-up.strengths", shape: [typeCount], values: strengths)])
  }

  init(typeCount: Int, rMax: Double, strengths: [Double]) {
    (self.typeCount, self.rMax, self.strengths) = (typeCount, rMax, strengths)
  }

  init(_ stored: StoredTerm, typeNames: [String]) throws {
    guard let rMax = stored.settings["r_max"]?.double else {
      throw DiffNNPError("metadata \"made-up\" needs the number r_max")
    }
    self.init(
      typeCount: typeNames.count, rMax: rMax,
      strengths: try stored.values("made-up.strengths", shape: [typeNames.count]))
  }

  func makeEvaluator(_ precision: Precision, energyScale: Double) -> TermEvaluator {
    .centres(stage: .init(name: "made-up")) { MadeUpEvaluator(self) }
  }
}

private final class MadeUpEvaluator: CentreEvaluating {
  private let term: MadeUpTerm

  init(_ term: MadeUpTerm) { self.term = term }

  func add(
    _ edges: EdgeList, centres: Range<Int>, scale: Double, energies: UnsafeMutablePointer<Double>, forces: ForceSums
  ) {
    let square = term.rMax * term.rMax
    for i in centres {
      let near = (Int(edges.offsets[i])..<Int(edges.offsets[i + 1])).filter { edges.lengths[$0] < term.rMax }
      func base(_ e: Int) -> Double { 1 - edges.lengths[e] * edges.lengths[e] / square }
      let count = near.reduce(0) { $0 + base($1) * base($1) * base($1) }
      let strength = scale * term.strengths[Int(edges.types[i])]
      energies[i] += strength * count * count
      for e in near {
        let gradient = 2 * strength * count * -6 * base(e) * base(e) / square * edges.vectors[e]
        forces.add(gradient, edges.vectors[e], from: i, to: Int(edges.neighbours[e]))
        forces.addForce(gradient, toCentre: i)
      }
    }
  }
}
