import DiffNNP
import DiffNNPFrames

/// A table of numbers with a name for each column, as text with commas.
public struct CSVTable: Equatable, Sendable {
  public var names: [String]
  /// Values [column][row].
  public var columns: [[Double]]

  public init(names: [String], columns: [[Double]]) {
    self.names = names
    self.columns = columns
  }

  /// Reads a file: a line of names, then lines of as many numbers.
  /// - Throws: with file and line, where there is something else.
  public init(path: String) throws {
    let lines = try String(decoding: FileIO.read(path), as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
    names = lines[0].split(separator: ",").map(Self.trimmed)
    columns = names.map { _ in [] }
    guard !names.isEmpty else { throw DiffNNPError("\(path): expected a table with commas and a line of column names") }
    for (n, line) in lines.enumerated().dropFirst() where !line.allSatisfy(\.isWhitespace) {
      let fields = line.split(separator: ",", omittingEmptySubsequences: false).map(Self.trimmed)
      guard fields.count == names.count else {
        throw DiffNNPError("\(path), line \(n + 1): \(fields.count) values, expected \(names.count)")
      }
      for (k, field) in fields.enumerated() {
        guard let value = Double(field) else {
          throw DiffNNPError("\(path), line \(n + 1): '\(field)' is not a number")
        }
        columns[k].append(value)
      }
    }
  }

  private static func trimmed(_ text: Substring) -> String {
    String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }

  /// The column of one of `names`; nil where there is none.
  public func column(_ names: [String]) -> [Double]? {
    self.names.firstIndex { names.contains($0) }.map { columns[$0] }
  }

  public var text: String {
    let rows = (0..<(columns.first?.count ?? 0)).map { row in
      columns.map { $0[row].significant(6) }.joined(separator: ",")
    }
    return ([names.joined(separator: ",")] + rows).joined(separator: "\n") + "\n"
  }
}

extension RadialDistribution {
  /// Reads curves from a table with columns `r_A`, `g_LiLi`, `g_LiCl`, … and, where known, errors `e_LiLi`, …
  /// - Throws: where a pair of `typeNames` is missing, or r are not the middles of equal bins from zero.
  public init(csv path: String, typeNames: [String]) throws {
    let table = try CSVTable(path: path)
    guard let r = table.column(["r_A", "r"]), r.count > 1 else {
      throw DiffNNPError(
        "\(path): expected a column r_A with the middles of bins; found \(table.names.joined(separator: ", "))")
    }
    let width = (r[r.count - 1] - r[0]) / Double(r.count - 1)
    guard width > 0, zip(r, r.indices).allSatisfy({ abs($0 - (Double($1) + 0.5) * width) < 0.01 * width }) else {
      throw DiffNNPError("\(path): r_A must be the middles of equal bins that start at zero")
    }
    func columns(_ prefix: String) -> [[Double]?] {
      TypePair.all(typeCount: typeNames.count).map { pair in table.column(pair.keys(typeNames).map { prefix + $0 }) }
    }
    let values = columns("g_")
    if let missing = values.firstIndex(where: { $0 == nil }) {
      let pair = TypePair.all(typeCount: typeNames.count)[missing]
      throw DiffNNPError(
        "\(path): no column g_\(pair.key(typeNames)); found \(table.names.joined(separator: ", "))")
    }
    let errors = columns("e_")
    self.init(
      typeNames: typeNames, binWidth: (width * 1e6).rounded() / 1e6, values: values.map { $0! },
      errors: errors.contains { $0 == nil } ? nil : errors.map { $0! })
  }

  /// The curves as the table that `init(csv:)` reads.
  public var csv: CSVTable {
    let keys = pairs.map { $0.key(typeNames) }
    return CSVTable(
      names: ["r_A"] + keys.map { "g_\($0)" } + (errors == nil ? [] : keys.map { "e_\($0)" }),
      columns: [distances] + values + (errors ?? []))
  }
}

extension AngleDistribution {
  /// Reads distributions from a table with columns `angle_deg`, `Li-Cl-Li`, …; each is normalised.
  public init(csv path: String, typeNames: [String]) throws {
    let table = try CSVTable(path: path)
    let triples = TypeTriple.equalLegs(typeCount: typeNames.count).filter {
      table.column([$0.label(typeNames)]) != nil
    }
    guard !triples.isEmpty else {
      throw DiffNNPError(
        "\(path): no angles of \(typeNames.joined(separator: ", ")); found \(table.names.joined(separator: ", "))")
    }
    self.init(
      typeNames: typeNames, triples: triples,
      probabilities: triples.map { triple in
        let column = table.column([triple.label(typeNames)])!
        let sum = column.reduce(0, +)
        return sum > 0 ? column.map { $0 / sum } : column
      })
  }
}
