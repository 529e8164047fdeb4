import DiffNNP
import DiffNNPFrames

/// A table with a name for each column, written as comma-separated values.
public struct CSVTable: Equatable, Sendable {
  /// Names of the columns.
  public var names: [String]
  /// Cells as text [row][column].
  public var rows: [[String]]
  /// The origin of the table in messages.
  private var source = "table"

  /// A table of numbers, given column by column, in six significant digits.
  public init(names: [String], columns: [[Double]]) {
    self.names = names
    rows = (columns.first?.indices ?? 0..<0).map { row in columns.map { $0[row].significant(6) } }
  }

  /// Reads a file: a line of names, then lines of as many values; values with commas stand in double quotes.
  /// - Throws: with file and line, where there is something else.
  public init(path: String) throws {
    source = path
    let text = String(decoding: try FileIO.read(path), as: UTF8.self)
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    names = Self.fields(lines.first ?? "")
    rows = []
    guard names != [""] else { throw DiffNNPError("\(path): expected a table with commas and a line of column names") }
    for (n, line) in lines.enumerated().dropFirst() where !line.allSatisfy(\.isWhitespace) {
      let fields = Self.fields(line)
      guard fields.count == names.count else {
        throw DiffNNPError("\(path), line \(n + 1): \(fields.count) values, expected \(names.count)")
      }
      rows.append(fields)
    }
    if let twice = names.firstTwice { throw DiffNNPError("\(path): two columns are called \(twice); leave one out") }
  }

  private static func fields(_ line: Substring) -> [String] {
    var fields = [""]
    var quoted = false
    for c in line {
      if c == "\"" {
        quoted.toggle()
      } else if c == ",", !quoted {
        fields.append("")
      } else if c != " " || quoted || !fields[fields.count - 1].isEmpty {
        fields[fields.count - 1].append(c)
      }
    }
    return fields
  }

  /// The column of one of `names` as numbers; nil where there is none of them.
  /// - Throws: where a value is no number. NaN and infinities are some; `finite` refuses them.
  public func numbers(_ names: String...) throws -> [Double]? { try numbers(names) }

  func numbers(_ names: [String]) throws -> [Double]? {
    guard let k = self.names.firstIndex(where: { names.contains($0) }) else { return nil }
    return try rows.enumerated().map { n, row in
      guard let value = Double(row[k]) else {
        throw DiffNNPError("\(source), row \(n + 1) of \(self.names[k]): '\(row[k])' is not a number")
      }
      return value
    }
  }

  /// The column of one of `names` as finite numbers; nil where there is none of them.
  func finite(_ names: [String]) throws -> [Double]? {
    let column = try numbers(names)
    if let row = column?.firstIndex(where: { !$0.isFinite }) {
      let name = self.names.first(where: names.contains) ?? ""
      throw DiffNNPError(
        "\(source), row \(row + 1) of \(name): \(column![row]) is no finite number; mend or remove the row")
    }
    return column
  }

  /// The table as text: a line of names, then a line for each row.
  public var text: String { ([names] + rows).map { $0.joined(separator: ",") + "\n" }.joined() }
}

extension RadialDistribution {
  /// Reads curves from a table with columns `r_A`, `g_LiLi`, `g_LiCl`, … and, where known, errors `e_LiLi`, …
  /// - Throws: where a pair of `typeNames` is missing, or r are not the middles of equal bins from zero.
  public init(csv path: String, typeNames: [String]) throws {
    let table = try CSVTable(path: path)
    guard let r = try table.finite(["r_A", "r"]), r.count > 1 else {
      throw DiffNNPError(
        "\(path): expected a column r_A with the middles of bins; found \(table.names.joined(separator: ", "))")
    }
    let width = (r[r.count - 1] - r[0]) / Double(r.count - 1)
    guard width > 0, zip(r, r.indices).allSatisfy({ abs($0 - (Double($1) + 0.5) * width) < 0.01 * width }) else {
      throw DiffNNPError("\(path): r_A must be the middles of equal bins that start at zero")
    }
    func columns(_ prefix: String, _ column: ([String]) throws -> [Double]?) rethrows -> [[Double]?] {
      try TypePair.all(typeCount: typeNames.count).map { pair in try column(pair.keys(typeNames).map { prefix + $0 }) }
    }
    let values = try columns("g_", table.finite)
    if let missing = values.firstIndex(where: { $0 == nil }) {
      let pair = TypePair.all(typeCount: typeNames.count)[missing]
      throw DiffNNPError(
        "\(path): no column g_\(pair.key(typeNames)); found \(table.names.joined(separator: ", "))")
    }
    // Errors that are not known are NaN.
    let errors = try columns("e_", table.numbers)
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
  /// - Throws: where the file cannot be read, has no angles of these types, or a probability is negative or not finite.
  public init(csv path: String, typeNames: [String]) throws {
    let table = try CSVTable(path: path)
    let triples = TypeTriple.all(typeCount: typeNames.count).filter {
      table.names.contains($0.label(typeNames))
    }
    guard !triples.isEmpty else {
      throw DiffNNPError(
        "\(path): no angles of \(typeNames.joined(separator: ", ")); found \(table.names.joined(separator: ", "))")
    }
    self.init(
      typeNames: typeNames, triples: triples,
      probabilities: try triples.map { triple in
        let label = triple.label(typeNames)
        let column = try table.finite([label])!
        guard column.allSatisfy({ $0 >= 0 }) else {
          throw DiffNNPError("\(path): probabilities of \(label) are negative; expected numbers from 0 on")
        }
        let sum = column.reduce(0, +)
        return sum > 0 ? column.map { $0 / sum } : column
      })
  }
}
