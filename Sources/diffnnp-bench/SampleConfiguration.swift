import DiffNNP
import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

extension Configuration {
  /// Atoms at random in a periodic cube, whose size gives a number of neighbours within a cutoff (Å): on sites of a
  /// lattice, each somewhat displaced, so that none are very close. Atoms are numbered bin by bin, as LAMMPS sorts
  /// them: bins are half a cutoff wide, along x first. Types alternate.
  static func sample(atoms: Int, neighbours: Double, cutoff: Double, typeCount: Int) throws -> Configuration {
    let sitesPerAtom = 16.0
    // Neighbours occupy all sites within the cutoff but the atom's own with the same probability.
    let density = (neighbours + 1 / sitesPerAtom) / (4 / 3 * Double.pi * cutoff * cutoff * cutoff)
    let edge = cbrt(Double(atoms) / density)
    let sitesPerEdge = Int(cbrt(sitesPerAtom * Double(atoms)).rounded(.up))

    var random = Philox(seed: 1, purpose: .noise, frame: 0)
    let chosen = Array(0..<sitesPerEdge * sitesPerEdge * sitesPerEdge).shuffled(using: &random).prefix(atoms)
    let spacing = edge / Double(sitesPerEdge)
    let placed = chosen.map { k in
      let corner = SIMD3(k % sitesPerEdge, k / sitesPerEdge % sitesPerEdge, k / (sitesPerEdge * sitesPerEdge))
      let displaced = SIMD3(0.25 + 0.5 * random.uniform(), 0.25 + 0.5 * random.uniform(), 0.25 + 0.5 * random.uniform())
      return spacing * (SIMD3<Double>(corner) + displaced)
    }
    let bins = max(1, Int(edge / (0.5 * cutoff)))
    let positions = placed.map { position in
      let bin = SIMD3<Int>(position * (Double(bins) / edge))
      return (position: position, bin: (bin.z * bins + bin.y) * bins + bin.x)
    }.sorted { $0.bin < $1.bin }.map(\.position)
    return Configuration(
      cell: try Cell(orthogonal: [edge, edge, edge]), positions: positions,
      types: (0..<atoms).map { $0 % typeCount })
  }
}
