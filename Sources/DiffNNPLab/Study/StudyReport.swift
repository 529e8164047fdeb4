import DiffNNP
import DiffNNPAnalysis

/// Tables, figures and the text of a study, from its records.
package struct StudyReport {
  let study: Study
  let records: [StudyRecord]

  /// The report of a study on the trainings that have a record.
  package init(study: Study, records: [StudyRecord]) {
    self.study = study
    self.records = records
  }

  /// Writes everything into the directory of results, and the report beside it.
  package func write() throws {
    try makeDirectory(study.results)
    for system in study.systems {
      let summaries = summaries(system.name)
      guard !summaries.isEmpty else { continue }
      try FileIO.write(csv(summaries).utf8, to: "\(study.results)/\(system.name).csv")
    }
    for plot in study.plots {
      guard let figure = try figure(plot) else { continue }
      for ending in ["svg", "png"] { try figure.write(to: "\(study.results)/\(plot.name).\(ending)") }
    }
    guard let template = study.template, let report = study.report else { return }
    let text = String(decoding: try FileIO.read(template), as: UTF8.self)
    try FileIO.write(filled(text, template: template).utf8, to: report)
  }

  private func summaries(_ system: String, rows: [String]? = nil) -> [StudySummary] {
    StudySummary.summaries(records, system: system, rows: rows ?? study.rows.map(\.name))
  }

  private func summary(_ system: String, _ row: String, _ frameCount: Int) -> StudySummary? {
    summaries(system, rows: [row]).first { $0.frameCount == frameCount }
  }

  private func label(_ row: String) -> String { study.rows.first { $0.name == row }?.label ?? row }

  // MARK: Tables

  /// Every measure of every row: mean and standard error.
  private func csv(_ summaries: [StudySummary]) -> String {
    var seen: Set<String> = []
    let names = summaries.flatMap(\.measureNames).filter { seen.insert($0).inserted }
    var lines = [(["row", "frames", "replicas", "failures"] + names.flatMap { [$0, "\($0)_error"] })]
    for summary in summaries {
      let values = names.flatMap { name -> [String] in
        guard let mean = summary.mean(name) else { return ["", ""] }
        return [mean.value.significant(5), mean.error.isFinite ? mean.error.significant(2) : ""]
      }
      lines.append(
        [summary.row, "\(summary.frameCount)", "\(summary.records.count)", "\(failures(summary))"] + values)
    }
    return lines.map { $0.joined(separator: ",") + "\n" }.joined()
  }

  private func failures(_ summary: StudySummary) -> Int { summary.records.filter { $0.failure != nil }.count }

  /// A table for readers.
  private func markdown(_ table: Study.Table) -> String {
    let rows = summaries(table.system, rows: table.rows).filter { table.frameCounts?.contains($0.frameCount) ?? true }
    var lines = ["| | frames | n |" + table.columns.map { " \($0.head) |" }.joined()]
    lines.append("|---|---|---|" + table.columns.map { _ in "---|" }.joined())
    for summary in rows {
      let cells = table.columns.map { " \(cell(summary, $0.measure, factor: $0.factor, digits: $0.digits)) |" }
      let failed = failures(summary)
      let count = "\(summary.records.count)" + (failed > 0 ? " (\(failed) failed)" : "")
      lines.append("| \(label(summary.row)) | \(summary.frameCount) | \(count) |" + cells.joined())
    }
    return lines.joined(separator: "\n")
  }

  /// Mean ± standard error.
  private func cell(_ summary: StudySummary, _ measure: String, factor: Double = 1, digits: Int) -> String {
    guard let mean = summary.mean(measure) else { return "–" }
    let text = (factor * mean.value).fixed(digits)
    return mean.error.isFinite ? "\(text) ± \((factor * mean.error).fixed(digits))" : text
  }

  // MARK: Figures

  /// The figure of a plot; nil where none of its runs has been made.
  private func figure(_ plot: Study.Plot) throws -> Figure? {
    switch plot.kind {
    case .rdf(let curves):
      let drawn = curves.compactMap { curve -> LabelledRDF? in
        guard let g = summary(plot.system, curve.row, curve.frameCount)?.distribution else { return nil }
        return LabelledRDF(
          curve.label ?? "\(label(curve.row)), \(counted(curve.frameCount, "frame"))", g,
          style: isFrames(curve.row) ? .faint : nil)
      }
      guard let names = drawn.first?.distribution.typeNames else { return nil }
      let reference = try RadialDistribution(csv: study.system(plot.system).reference, typeNames: names)
      return rdfFigure([LabelledRDF("reference", reference, style: .reference)] + drawn, rMax: 10)
    case .frames(let rows, let measures):
      return chart(measures, xLabel: "training frames", rows: rows, isLogarithmic: true) { row in
        summaries(plot.system, rows: [row]).map { (Double($0.frameCount), $0) }
      }
    case .x(let rows, let frameCount, let measures, let xLabel):
      return chart(measures, xLabel: xLabel, rows: ["all"], isLogarithmic: false) { _ in
        rows.compactMap { row in
          guard let x = study.rows.first(where: { $0.name == row })?.x else { return nil }
          return summary(plot.system, row, frameCount).map { (x, $0) }
        }
      }
    }
  }

  private func isFrames(_ row: String) -> Bool { study.rows.first { $0.name == row }?.source == .frames }

  private func chart(
    _ measures: [Study.Column], xLabel: String, rows: [String], isLogarithmic: Bool,
    points: (String) -> [(x: Double, summary: StudySummary)]
  ) -> Figure? {
    var isEmpty = true
    let panels = measures.map { measure in
      let curves = rows.enumerated().compactMap { k, row -> Curve? in
        let values = points(row).compactMap { point in point.summary.mean(measure.measure).map { (point.x, $0) } }
        guard !values.isEmpty else { return nil }
        isEmpty = false
        return Curve(
          label(row), x: values.map(\.0), y: values.map { measure.factor * $0.1.value },
          errors: values.map { $0.1.error.isFinite ? measure.factor * $0.1.error : 0 },
          style: isFrames(row) ? .faint : .next(k))
      }
      var panel = Panel(
        measure.head, xLabel: xLabel, yLabel: "", curves: curves, yRange: (isLogarithmic ? nil : 0, nil))
      (panel.isXLogarithmic, panel.isYLogarithmic, panel.hasPoints) = (isLogarithmic, isLogarithmic, true)
      return panel
    }
    return isEmpty ? nil : Figure(panels)
  }

  // MARK: Text

  /// The template with its placeholders filled:
  /// `{{table NAME}}`, `{{figure NAME CAPTION…}}`, `{{value SYSTEM ROW FRAMES MEASURE DIGITS}}`,
  /// `{{needed SYSTEM ROW MEASURE TARGET FRAMES}}`: frames that ROW needs to be as good as TARGET with FRAMES, and
  /// `{{failures SYSTEM ROW}}`: failed of all trainings.
  private func filled(_ text: String, template: String) throws -> String {
    var result = ""
    for (n, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      var remaining = line
      while let open = remaining.firstRange(of: "{{"), let close = remaining[open.upperBound...].firstRange(of: "}}") {
        result += remaining[..<open.lowerBound]
        let words = remaining[open.upperBound..<close.lowerBound].split(separator: " ").map(String.init)
        guard let value = try value(of: words) else {
          throw DiffNNPError(
            "\(template):\(n + 1): {{\(words.joined(separator: " "))}} is none of table, figure, value, needed and "
              + "failures with what they need")
        }
        result += value
        remaining = remaining[close.upperBound...]
      }
      result += remaining + "\n"
    }
    return String(result.dropLast())
  }

  private func value(of words: [String]) throws -> String? {
    let missing = "(not run)"
    switch (words.first, words.count) {
    case ("table", 2):
      return study.tables.first { $0.name == words[1] }.map(markdown)
    case ("figure", 2...):
      guard let plot = study.plots.first(where: { $0.name == words[1] }) else { return nil }
      let folder = study.results.split(separator: "/").last ?? ""
      return "![\(words[2...].joined(separator: " "))](\(folder)/\(plot.name).svg)"
    case ("value", 6):
      guard let count = Int(words[3]), let digits = Int(words[5]) else { return nil }
      return summary(words[1], words[2], count).map { cell($0, words[4], digits: digits) } ?? missing
    case ("needed", 6):
      guard let count = Int(words[5]) else { return nil }
      guard let target = summary(words[1], words[4], count) else { return missing }
      return needed(FramesNeeded(summaries(words[1], rows: [words[2]]), toMatch: target, measure: words[3]))
    case ("failures", 3):
      let mine = records.filter { $0.key.system == words[1] && $0.key.row == words[2] }
      return "\(mine.filter { $0.failure != nil }.count) of \(mine.count)"
    default: return nil
    }
  }

  private func needed(_ needed: FramesNeeded) -> String {
    func text(_ x: Double?) -> String {
      guard let x else { return "more than were tried" }
      return x <= Double(needed.fewestTried) ? "fewer than \(needed.fewestTried)" : x.fixed(0)
    }
    return "\(text(needed.frames)) (95 %: \(text(needed.lower)) to \(text(needed.upper)))"
  }
}
