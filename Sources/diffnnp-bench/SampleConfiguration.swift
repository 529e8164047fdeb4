import DiffNNP
import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

extension Configuration {
  /// Atoms at random in a periodic cube that is large enough for a number of neighbours within a cutoff (Å): on sites of
  /// a lattice, each somewhat displaced, so that none are very close. Atoms are numbered in the order of sites; types
  /// take turns.
  static func sample(atoms: Int, neighbours: Double, cutoff: Double, typeCount: Int) throws -> Configuration {
    let sitesPerAtom = 16.0
    // Others stand on all sites within the cutoff but the atom's own.
    let density = (neighbours + 1 / sitesPerAtom) / (4 / 3 * Double.pi * cutoff * cutoff * cutoff)
    let edge = cbrt(Double(atoms) / density)
    let sitesPerEdge = Int(cbrt(sitesPerAtom * Double(atoms)).rounded(.up))

    var random = Philox(seed: 1, purpose: .noise, frame: 0)
    let chosen = Array(0..<sitesPerEdge * sitesPerEdge * sitesPerEdge).shuffled(using: &random).prefix(atoms).sorted()
    let spacing = edge / Double(sitesPerEdge)
    let positions = chosen.map { k in
      let corner = SIMD3(k % sitesPerEdge, k / sitesPerEdge % sitesPerEdge, k / (sitesPerEdge * sitesPerEdge))
      let displaced = SIMD3(0.25 + 0.5 * random.uniform(), 0.25 + 0.5 * random.uniform(), 0.25 + 0.5 * random.uniform())
      return spacing * (SIMD3<Double>(corner) + displaced)
    }
    return Configuration(
      cell: try Cell(orthogonal: [edge, edge, edge]), positions: positions,
      types: (0..<atoms).map { $0 % typeCount })
  }
}
