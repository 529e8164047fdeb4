// swift-tools-version:6.0
import PackageDescription

// Hot code lives in DiffNNP alone, so that its generics are specialised there: see ARCHITECTURE.md.
let package = Package(
  name: "diffnnp",
  products: [
    .executable(name: "diffnnp", targets: ["diffnnp"]),
    .executable(name: "diffnnp-lab", targets: ["diffnnp-lab"]),
    .executable(name: "diffnnp-bench", targets: ["diffnnp-bench"]),
    // For programs in Swift: potentials, trajectories, training, analysis. Its targets have no unsafe flags.
    .library(name: "DiffNNP", targets: ["DiffNNP", "DiffNNPFrames", "DiffNNPTraining", "DiffNNPAnalysis"]),
    .library(name: "diffnnp-c", type: .dynamic, targets: ["DiffNNPC"]),
  ],
  targets: [
    .systemLibrary(name: "CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CProcessor"),
    .target(name: "DiffNNP", dependencies: ["CProcessor"]),
    .target(name: "DiffNNPFrames", dependencies: ["DiffNNP", "CZlib"]),
    .target(name: "DiffNNPTraining", dependencies: ["DiffNNP", "DiffNNPFrames"]),
    .target(name: "DiffNNPMPI", dependencies: ["DiffNNP", "DiffNNPTraining"]),
    .target(name: "DiffNNPAnalysis", dependencies: ["DiffNNP", "DiffNNPFrames"]),
    .systemLibrary(name: "CDiffNNP"),
    .target(
      name: "DiffNNPC", dependencies: ["DiffNNP", "CDiffNNP"], exclude: ["exports.map"],
      linkerSettings: [
        .unsafeFlags([
          "-Xlinker", "--version-script=\(Context.packageDirectory)/Sources/DiffNNPC/exports.map",
          "-Xlinker", "-soname=libdiffnnp.so.1",
          // Swift code cannot be unloaded.
          "-Xlinker", "-z", "-Xlinker", "nodelete",
        ])
      ]),
    .target(
      name: "DiffNNPCommandLine",
      dependencies: ["DiffNNP", "DiffNNPFrames", "DiffNNPTraining", "DiffNNPMPI", "DiffNNPAnalysis", "CYaml"]),
    .executableTarget(
      name: "diffnnp",
      dependencies: [
        "DiffNNP", "DiffNNPCommandLine", "DiffNNPFrames", "DiffNNPTraining", "DiffNNPMPI", "DiffNNPAnalysis",
      ]),
    .target(
      name: "DiffNNPLab",
      dependencies: ["DiffNNP", "DiffNNPCommandLine", "DiffNNPFrames", "DiffNNPTraining", "DiffNNPAnalysis"]),
    .executableTarget(
      name: "diffnnp-lab",
      dependencies: [
        "DiffNNP", "DiffNNPCommandLine", "DiffNNPFrames", "DiffNNPTraining", "DiffNNPAnalysis", "DiffNNPLab",
      ]),
    .target(name: "CAllocations"),
    .executableTarget(
      name: "diffnnp-bench", dependencies: ["DiffNNP", "DiffNNPCommandLine", "DiffNNPTraining", "CAllocations"]),
    .testTarget(
      name: "DiffNNPTests", dependencies: ["DiffNNP", "DiffNNPFrames"],
      exclude: ["Fixtures", "WeightFile/resave.py"]),
    .testTarget(name: "DiffNNPFramesTests", dependencies: ["DiffNNP", "DiffNNPFrames"], exclude: ["Fixtures"]),
    .testTarget(name: "DiffNNPTrainingTests", dependencies: ["DiffNNP", "DiffNNPFrames", "DiffNNPTraining"]),
    .testTarget(
      name: "CommandLineTests",
      dependencies: [
        "CZlib", "diffnnp", "diffnnp-lab", "diffnnp-bench", "DiffNNP", "DiffNNPCommandLine", "DiffNNPFrames",
        "DiffNNPTraining",
      ]),
    .testTarget(name: "DiffNNPAnalysisTests", dependencies: ["DiffNNP", "DiffNNPFrames", "DiffNNPAnalysis"]),
    .testTarget(
      name: "DiffNNPLabTests",
      dependencies: [
        "DiffNNP", "DiffNNPCommandLine", "DiffNNPFrames", "DiffNNPTraining", "DiffNNPAnalysis", "DiffNNPLab",
      ]),
  ],
  swiftLanguageModes: [.v5]
)

// Built by scripts/fuzz alone: it needs libFuzzer, which has the main function.
if Context.environment["DIFFNNP_FUZZ_BUILD"] != nil {
  package.targets.append(
    .executableTarget(
      name: "diffnnp-fuzz",
      dependencies: ["DiffNNP", "DiffNNPCommandLine", "DiffNNPFrames", "DiffNNPTraining"], path: "Tests/Fuzz",
      exclude: ["Corpus", "words"]))
}
