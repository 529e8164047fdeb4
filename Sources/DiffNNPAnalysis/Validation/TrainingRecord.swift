import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// The files that a training wrote: provenance in the weight file, and tables beside it.
public struct TrainingRecord: Sendable {
  /// Provenance of the weight file, by key.
  public var provenance: [String: String]
  /// The settings of pairs and triplets that were compared, with a column `chosen`; nil where there is no such file.
  public var candidates: CSVTable?
  /// The courses of the `network`'s training and of the `refinement`, with a column `step`; nil where there was none.
  public var network: CSVTable?
  public var refinement: CSVTable?

  /// A record of given tables.
  public init(
    provenance: [String: String], candidates: CSVTable? = nil, network: CSVTable? = nil, refinement: CSVTable? = nil
  ) {
    (self.provenance, self.candidates, self.network, self.refinement) = (provenance, candidates, network, refinement)
  }

  /// Reads the tables that `diffnnp train` writes beside a weight file. A training begins with the table of candidates:
  /// courses that are older than it belong to another training.
  /// - Throws: where a table is there, but cannot be read.
  public init(_ potential: Potential, path: String) throws {
    let candidates = path + ".fit.csv"
    let began = Self.modified(candidates)
    func table(_ path: String) throws -> CSVTable? {
      guard let time = Self.modified(path), time >= began ?? time else { return nil }
      return try CSVTable(path: path)
    }
    self.init(
      provenance: potential.metadata.provenance, candidates: try table(candidates),
      network: potential.term(Network.self) == nil ? nil : try table(path + ".network.csv"),
      refinement: try table(path + ".refinement.csv"))
  }

  /// When a file was written (s); nil where it cannot be read.
  private static func modified(_ path: String) -> Double? {
    var status = stat()
    guard access(path, R_OK) == 0, stat(path, &status) == 0 else { return nil }
    return Double(status.st_mtim.tv_sec) + 1e-9 * Double(status.st_mtim.tv_nsec)
  }

  /// Adds a section to a report; none where nothing is known.
  func add(to page: inout HTMLPage) throws {
    guard !provenance.isEmpty || candidates != nil || network != nil || refinement != nil else { return }
    page.heading("Training")
    page.table(
      head: ["", "in the weight file"], rows: provenance.sorted { $0.key < $1.key }.map { [$0.key, $0.value] })
    try candidates.map { try add($0, to: &page) }
    try network.map {
      try addCourse(of: $0, ["loss", "held_out"], yLabel: "objective", "The network's training.", to: &page)
    }
    let isUnchanged = provenance["refined by likelihood"] == nil
    try refinement.map {
      try addCourse(
        of: $0, ["difference"], yLabel: "relative difference",
        "The refinement by likelihood: how much the numbers of neighbours in the potential's own chains differ from those of the frames."
          + (isUnchanged ? " Chance explains that, and nothing was changed." : ""),
        to: &page)
    }
  }

  private func add(_ candidates: CSVTable, to page: inout HTMLPage) throws {
    let chosen = candidates.names.firstIndex(of: "chosen")
    let count = chosen.map { k in candidates.rows.count { $0[k] == "1" } } ?? 0
    page.paragraph(
      "\(counted(candidates.rows.count, "setting")) of pairs and triplets were compared on frames held out, and \(count) chosen, "
        + "one after the other; smaller is better, among settings of one objective.")
    page.table(
      head: candidates.names.map { $0.replacing("_", with: " ") },
      rows: candidates.rows.map { row in
        row.enumerated().map { k, text in
          k == chosen ? (text == "1" ? "chosen" : "") : Double(text).map { $0.significant(6) } ?? text
        }
      })
  }

  private func addCourse(
    of log: CSVTable, _ names: [String], yLabel: String, _ caption: String, to page: inout HTMLPage
  ) throws {
    guard let steps = try log.numbers("step"), steps.count > 1 else { return }
    let curves = try names.enumerated().compactMap { k, name in
      try log.numbers(name).map { Curve(name.replacing("_", with: " "), x: steps, y: $0, style: .next(k)) }
    }
    guard !curves.isEmpty else { return }
    page.figure(
      svg: try Figure([Panel("", xLabel: "step", yLabel: yLabel, curves: curves)]).svg(), caption: caption)
  }
}
