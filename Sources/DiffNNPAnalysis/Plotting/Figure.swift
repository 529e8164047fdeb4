import DiffNNP

/// One line of a plot.
public struct Curve: Sendable {
  /// Label in the legend.
  public var label: String
  /// Abscissas of the points.
  public var x: [Double]
  /// Ordinates of the points, as many as abscissas.
  public var y: [Double]
  /// Standard errors of the ordinates, drawn as a band of this half width; nil for none.
  public var errors: [Double]?
  /// Colour, width and dashes.
  public var style: CurveStyle

  /// A curve through points, with standard errors where there are any.
  public init(_ label: String, x: [Double], y: [Double], errors: [Double]? = nil, style: CurveStyle) {
    self.label = label
    self.x = x
    self.y = y
    self.errors = errors
    self.style = style
  }
}

/// Colour, width and dashes of a curve.
public struct CurveStyle: Equatable, Sendable {
  /// Colour: "#rrggbb".
  public var colour: String
  /// Width (points).
  public var width: Double
  /// Whether the line is dashed.
  public var dashed: Bool

  /// A solid or dashed line of a colour.
  public init(colour: String, width: Double = 1.8, dashed: Bool = false) {
    self.colour = colour
    self.width = width
    self.dashed = dashed
  }

  /// Style of the curve that others are compared with.
  public static let reference = CurveStyle(colour: "#262626", width: 1.6)
  /// Style of curves in the background.
  public static let faint = CurveStyle(colour: "#a8a8a8", width: 1.0)
  /// Muted colours, told apart by readers with any colour vision.
  public static let palette: [CurveStyle] = ["#2b6ca3", "#c65d3b", "#4f8a5b", "#8a6bb0", "#b8902f", "#4fa3a5"].map {
    CurveStyle(colour: $0)
  }

  /// Style of the k-th curve of a plot without a reference.
  public static func next(_ k: Int) -> CurveStyle { palette[k % palette.count] }
}

/// A pair of axes with curves.
public struct Panel: Sendable {
  /// Title above the axes.
  public var title: String
  /// Label of the horizontal axis, with its unit.
  public var xLabel: String
  /// Label of the vertical axis, with its unit.
  public var yLabel: String
  /// The curves, later ones drawn over earlier ones.
  public var curves: [Curve]
  /// Limits of the axes, `xRange` and `yRange`; nil fits the data.
  public var xRange: (Double?, Double?)
  public var yRange: (Double?, Double?)
  /// Height of a thin horizontal line, such as g = 1.
  public var guide: Double?
  /// Whether the horizontal axis is logarithmic.
  public var isXLogarithmic = false
  /// Whether the vertical axis is logarithmic.
  public var isYLogarithmic = false
  /// Whether points of curves are drawn as symbols.
  public var hasPoints = false

  /// A pair of axes with linear scales.
  public init(
    _ title: String, xLabel: String, yLabel: String, curves: [Curve], xRange: (Double?, Double?) = (nil, nil),
    yRange: (Double?, Double?) = (nil, nil), guide: Double? = nil
  ) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.curves = curves
    self.xRange = xRange
    self.yRange = yRange
    self.guide = guide
  }
}

extension Panel {
  /// Limits of the axes; on logarithmic ones those of the data with some room, where none are given.
  var xLimits: (Double?, Double?) { isXLogarithmic ? Self.limits(xRange, curves.flatMap(\.x)) : xRange }
  var yLimits: (Double?, Double?) { isYLogarithmic ? Self.limits(yRange, curves.flatMap(\.y)) : yRange }

  private static func limits(_ given: (Double?, Double?), _ values: [Double]) -> (Double?, Double?) {
    let positive = values.filter { $0 > 0 && $0.isFinite }
    return (given.0 ?? positive.min().map { 0.8 * $0 }, given.1 ?? positive.max().map { 1.25 * $0 })
  }
}

/// Panels side by side with one legend above them, drawn by gnuplot.
public struct Figure: Sendable {
  /// The panels, row by row.
  public var panels: [Panel]
  /// Number of panels in a row.
  public var columns: Int

  /// A figure of panels, at most three in a row unless `columns` says otherwise.
  public init(_ panels: [Panel], columns: Int? = nil) {
    self.panels = panels
    self.columns = columns ?? min(panels.count, 3)
  }

  /// The figure as an SVG document.
  /// - Throws: where gnuplot is missing or fails.
  public func svg() throws -> String {
    // Generic families behind the first one: viewers without Helvetica then take a sans-serif font, not their default.
    String(decoding: try Gnuplot.run(GnuplotScript(self, terminal: .svg).text), as: UTF8.self)
      .replacing("font-family=\"Helvetica\"", with: "font-family=\"Helvetica, Arial, sans-serif\"")
  }

  /// The figure as a PNG image.
  /// - Throws: where gnuplot is missing or fails.
  public func png() throws -> [UInt8] { try Gnuplot.run(GnuplotScript(self, terminal: .png).text) }

  /// Writes the figure, as SVG or PNG by the ending of `path`.
  /// - Throws: for another ending, where gnuplot is missing or fails, or the file cannot be written.
  public func write(to path: String) throws {
    if path.hasSuffix(".svg") {
      try FileIO.write(svg().utf8, to: path)
    } else if path.hasSuffix(".png") {
      try FileIO.write(png(), to: path)
    } else {
      throw DiffNNPError("plot \(path): give a name that ends in .svg or .png")
    }
  }
}

/// The gnuplot program.
enum Gnuplot {
  /// Runs a script and returns what it prints.
  static func run(_ script: String) throws -> [UInt8] {
    guard let program = Subprocess.find("gnuplot") else {
      throw DiffNNPError("plots need gnuplot, which is not on PATH; install it (Debian: apt install gnuplot-nox)")
    }
    let result = try Subprocess(program, ["-"]).run(input: script)
    guard result.status == 0 else {
      let reason = result.error.split(separator: "\n").map { $0.drop { $0 == " " } }.last { !$0.isEmpty } ?? ""
      throw DiffNNPError("gnuplot failed with status \(result.status): \(reason)")
    }
    return result.bytes
  }
}
