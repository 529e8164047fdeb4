import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// A file under Tests/DiffNNPTests/Fixtures.
func fixture(_ name: String) -> String { besideThisFile("Fixtures/" + name) }

/// The published LiCl model in the folder of shared data, if there is one.
let publishedModel = besideThisFile("../../../shared/data/nequip-licl")

func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }

private func besideThisFile(_ name: String) -> String {
  #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/" + name
}

extension Configuration {
  /// Atoms on a lattice of `edge`³ sites, each somewhat displaced, of three types in turn.
  static func solid(_ edge: Int, seed: UInt64 = 8) throws -> Configuration {
    var random = SplitMix(seed: seed)
    let positions = (0..<edge * edge * edge).map { k in
      1.7 * SIMD3(Double(k % edge), Double(k / edge % edge), Double(k / (edge * edge))) + 0.3 * random.vector()
    }
    let side = 1.7 * Double(edge)
    return Configuration(
      cell: try Cell(orthogonal: [side, side, side]), positions: positions, types: positions.indices.map { $0 % 3 })
  }
}
