#if canImport(Glibc)
  import Glibc
#endif

/// The gnuplot script that draws a `Figure`.
struct GnuplotScript {
  enum Terminal {
    case svg
    case png
  }

  private(set) var text = ""

  // Lengths in pixels. A panel is its axes with the room for their labels; the legend is a strip above all panels.
  private static let axesWidth = 300.0
  private static let axesHeight = 230.0
  private static let left = 64.0
  private static let right = 18.0
  private static let above = 34.0
  private static let below = 54.0
  private static let legendHeight = 30.0
  private static let fontSize = 14.0
  /// Letters are about this wide, to know how many labels of a legend fit side by side.
  private static let letterWidth = 7.2

  private let figure: Figure
  private let size: (width: Double, height: Double)
  private let legend: Legend
  /// How far labels of axes are moved towards them, in heights and widths of letters, which terminals see differently.
  private let labelOffset: (x: Double, y: Double)

  init(_ figure: Figure, terminal: Terminal) {
    self.figure = figure
    labelOffset = terminal == .svg ? (0.7, 1.6) : (0.2, 1.0)
    let columns = min(figure.columns, figure.panels.count)
    let rows = (figure.panels.count + columns - 1) / columns
    let width = Double(columns) * (Self.left + Self.axesWidth + Self.right)
    legend = Legend(figure, width: width - Self.left - Self.right)
    let height = legend.height + Double(rows) * (Self.above + Self.axesHeight + Self.below)
    size = (width, height)
    addHead(terminal)
    for (p, panel) in figure.panels.enumerated() {
      addData(panel, p)
      addPanel(panel, p, column: p % columns, row: p / columns)
    }
    text += "unset multiplot\n"
  }

  /// Every label once, drawn as the key of an empty plot so that it never covers data.
  private struct Legend {
    let entries: [(label: String, style: CurveStyle)]
    let columns: Int

    init(_ figure: Figure, width: Double) {
      var seen: Set<String> = []
      entries = figure.panels.flatMap(\.curves).filter { seen.insert($0.label).inserted }.map { ($0.label, $0.style) }
      let widest = entries.map { Double($0.label.count) * letterWidth + 60 }.max() ?? 1
      columns = max(1, min(entries.count, Int(width / widest)))
    }

    var rows: Int { (entries.count + columns - 1) / columns }
    var height: Double { entries.count < 2 ? 6 : Double(rows) * 20 + 12 }
  }

  private mutating func addHead(_ terminal: Terminal) {
    let (w, h) = (Int(size.width), Int(size.height))
    switch terminal {
    case .svg:
      text += "set terminal svg size \(w),\(h) enhanced background rgb 'white' font 'Helvetica,\(Int(Self.fontSize))'\n"
    case .png:
      // Twice the size in pixels, for screens and slides of today.
      text += """
        set terminal pngcairo size \(2 * w),\(2 * h) enhanced background rgb 'white' \
        font 'Helvetica,\(Int(Self.fontSize))' fontscale 1.6 linewidth 2

        """
    }
    text += """
      set encoding utf8
      set datafile missing 'nan'
      set style fill solid noborder
      unset key
      set multiplot
      \(legend.entries.count < 2 ? "" : legendPlot)
      set border 3 linewidth 0.8 linecolor rgb '#555555'
      set xtics nomirror out scale 0.5 textcolor rgb '#333333'
      set ytics nomirror out scale 0.5 textcolor rgb '#333333'
      set grid linewidth 0.5 linecolor rgb '#e6e6e6' dashtype solid

      """
  }

  private var legendPlot: String {
    let lines = legend.entries.map {
      "NaN with lines \(Self.line($0.style)) title \(Self.quoted(Self.escaped($0.label)))"
    }
    let y = (size.height - 6) / size.height
    return """
      unset border
      unset tics
      unset grid
      set lmargin at screen 0
      set rmargin at screen 1
      set key at screen 0.5,\(y) center top horizontal maxcols \(legend.columns) Left reverse samplen 2.4 \
      spacing 1.25 textcolor rgb '#222222'
      set xrange [0:1]
      set yrange [0:1]
      plot \(lines.joined(separator: ", "))
      unset key
      """
  }

  private mutating func addData(_ panel: Panel, _ p: Int) {
    for (c, curve) in panel.curves.enumerated() {
      text += "$d\(p)_\(c) << EOD\n"
      for k in 0..<min(curve.x.count, curve.y.count) {
        let e = curve.errors?[k] ?? 0
        text += "\(curve.x[k].significant(7)) \(curve.y[k].significant(7)) \(e.significant(4))\n"
      }
      text += "EOD\n"
    }
  }

  private mutating func addPanel(_ panel: Panel, _ p: Int, column: Int, row: Int) {
    let x = Double(column) * (Self.left + Self.axesWidth + Self.right) + Self.left
    let top = legend.height + Double(row) * (Self.above + Self.axesHeight + Self.below) + Self.above
    func range(_ r: (Double?, Double?)) -> String { "[\(r.0.map { "\($0)" } ?? "*"):\(r.1.map { "\($0)" } ?? "*")]" }
    let (xRange, yRange) = (panel.xLimits, panel.yLimits)
    text += """
      set lmargin at screen \(x / size.width)
      set rmargin at screen \((x + Self.axesWidth) / size.width)
      set tmargin at screen \(1 - top / size.height)
      set bmargin at screen \(1 - (top + Self.axesHeight) / size.height)
      \(panel.isXLogarithmic ? "set" : "unset") logscale x
      \(panel.isYLogarithmic ? "set" : "unset") logscale y
      set xtics \(Self.tics(panel.isXLogarithmic, xRange))
      set ytics \(Self.tics(panel.isYLogarithmic, yRange))
      set xrange \(range(xRange))
      set yrange \(range(yRange))
      set xlabel \(Self.quoted(Self.escaped(panel.xLabel))) offset 0,\(labelOffset.x) textcolor rgb '#222222'
      set ylabel \(Self.quoted(Self.escaped(panel.yLabel))) offset \(labelOffset.y),0 textcolor rgb '#222222'
      set label 1 \(Self.quoted("{/:Bold \(Self.escaped(panel.title))}")) at graph 0,1 left offset 0,1 \
      textcolor rgb '#111111'
      plot \(plots(panel, p).joined(separator: ", \\\n  "))

      """
  }

  /// The guide at the back, then bands, then lines.
  private func plots(_ panel: Panel, _ p: Int) -> [String] {
    let guide = panel.guide.map { "\($0) with lines linewidth 0.8 linecolor rgb '#bbbbbb' notitle" }
    let bands = panel.curves.enumerated().filter { $0.element.errors != nil }.map { c, curve in
      "$d\(p)_\(c) using 1:($2-$3):($2+$3) with filledcurves "
        + "fillcolor rgb '#c8\(curve.style.colour.dropFirst())' notitle"
    }
    let lines = panel.curves.enumerated().map { c, curve in
      "$d\(p)_\(c) using 1:2 with \(panel.hasPoints ? "linespoints pointtype 7 pointsize 0.5" : "lines") "
        + "\(Self.line(curve.style)) notitle"
    }
    return [guide].compactMap { $0 } + bands + lines
  }

  /// 1, 2 and 5 times powers of ten on a logarithmic axis, where decades alone are too few; more where these are too
  /// few.
  private static func tics(_ isLogarithmic: Bool, _ range: (Double?, Double?)) -> String {
    guard isLogarithmic, let low = range.0, let high = range.1, low > 0 else { return "autofreq" }
    func tics(_ factors: [Double]) -> [Double] {
      (-12...12).flatMap { k in factors.map { $0 * pow(10, Double(k)) } }.filter { low...high ~= $0 }
    }
    let coarse = tics([1, 2, 5])
    let chosen = coarse.count < 3 ? tics([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8]) : coarse
    return "(\(chosen.map { $0.significant(3) }.joined(separator: ", ")))"
  }

  private static func line(_ style: CurveStyle) -> String {
    "linewidth \(style.width) linecolor rgb '\(style.colour)' dashtype \(style.dashed ? "(8,5)" : "solid")"
  }

  private static func quoted(_ text: String) -> String {
    "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: " ") + "\""
  }

  /// Plain text inside enhanced text: file names have underscores that are not subscripts.
  private static func escaped(_ text: String) -> String {
    text.reduce(into: "") { result, c in
      if "_^{}@&~\\".contains(c) { result.append("\\") }
      result.append(c)
    }
  }
}
