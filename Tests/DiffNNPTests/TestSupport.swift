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
