/// A g(r) with its label in a legend.
public struct LabelledRDF: Sendable {
  /// Label in the legend.
  public var label: String
  /// The curves of all pairs of types.
  public var distribution: RadialDistribution
  /// Style of the curve; nil takes the next colour of the palette.
  public var style: CurveStyle?

  /// A g(r) with its label.
  public init(_ label: String, _ distribution: RadialDistribution, style: CurveStyle? = nil) {
    self.label = label
    self.distribution = distribution
    self.style = style
  }
}

/// g(r) overlaid, one panel for each pair of types, from where atoms begin to be found up to `rMax` (Å). Curves are
/// drawn in the order given, later ones over earlier ones.
public func rdfFigure(_ curves: [LabelledRDF], rMax: Double) -> Figure {
  guard let typeNames = curves.first?.distribution.typeNames else { return Figure([]) }
  var colours = 0
  let styles = curves.map { curve in
    if let style = curve.style { return style }
    colours += 1
    return .next(colours - 1)
  }
  // All panels begin at one multiple of half an Å, so that they can be compared at a glance.
  let first = curves.flatMap { curve in
    curve.distribution.values.compactMap { g in g.firstIndex { $0 > 0.02 }.map { curve.distribution.distances[$0] } }
  }.min()
  let rMin = (2 * (first ?? 0)).rounded(.down) / 2
  let panels = TypePair.all(typeCount: typeNames.count).enumerated().map { p, pair in
    Panel(
      pair.label(typeNames), xLabel: "r / Å", yLabel: "g(r)",
      curves: zip(curves, styles).map { curve, style in
        let g = curve.distribution
        return Curve(curve.label, x: g.distances, y: g.values[p], errors: g.errors?[p], style: style)
      },
      xRange: (rMin, max(rMax, rMin + 1)), yRange: (0, nil), guide: 1)
  }
  return Figure(panels)
}
