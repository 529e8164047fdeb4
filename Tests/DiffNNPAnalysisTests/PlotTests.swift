import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPAnalysis

@Suite(.enabled(if: Subprocess.find("gnuplot") != nil, "needs gnuplot")) struct PlotTests {
  private func figure() throws -> Figure {
    let g = try RadialDistribution(TestTrajectories.idealGas(frameCount: 20, seed: 1), binWidth: 0.25)
    let h = try RadialDistribution(TestTrajectories.idealGas(frameCount: 20, seed: 2), binWidth: 0.25)
    return rdfFigure([LabelledRDF("one_file", g), LabelledRDF("\"other\" {file}", h)], rMax: 10)
  }

  @Test func svgHasPanelsAndLabels() throws {
    let svg = try figure().svg()
    #expect(svg.hasPrefix("<?xml"))
    #expect(svg.contains("</svg>"))
    for text in ["one_file", "{file}", "A–A", "A–B", "B–B", "g(r)"] { #expect(svg.contains(text), "\(text)") }
  }

  @Test func pngIsOne() throws {
    try withTemporaryDirectory { directory in
      try figure().write(to: "\(directory)/a.png")
      let head = try Subprocess("head", ["-c", "4", "\(directory)/a.png"]).run().bytes
      #expect(head == [0x89] + Array("PNG".utf8))
    }
  }

  @Test func otherEndingsAreRefused() throws {
    expectError(".svg or .png") { try figure().write(to: "/tmp/a.jpeg") }
  }

  @Test func failureIsOneLine() {
    expectError("gnuplot failed") { _ = try Gnuplot.run("plot nonsense nonsense\n") }
  }
}
