import DiffNNP

/// The contents of the log of a LAMMPS run.
public struct LAMMPSLog: Equatable, Sendable {
  /// Version of LAMMPS: "29 Sep 2021 - Update 2"; nil where the log does not say.
  public var version: String?
  /// Rows of thermodynamic output of all runs, in order: `steps`, and `temperatures` (K).
  public var steps: [Int] = []
  public var temperatures: [Double] = []
  /// Speed of the last run that ended (ns/day).
  public var nanosecondsPerDay: Double?
  /// The last line that reports an error; nil where there is none.
  public var error: String?

  /// Reads the text of a log; lines that are not understood are passed over.
  public init(parsing text: String) {
    var columns: (step: Int, temperature: Int)?
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      if version == nil, line.hasPrefix("LAMMPS ("), let end = line.lastIndex(of: ")") {
        version = String(line[line.index(line.startIndex, offsetBy: 8)..<end])
      } else if line.hasPrefix("ERROR") {
        error = String(line)
      } else if line.hasPrefix("Loop time of") {
        columns = nil
      } else if words.first == "Performance:", words.count > 2, words[2].hasPrefix("ns/day") {
        nanosecondsPerDay = Double(words[1])
      } else if let step = words.firstIndex(of: "Step"), let temperature = words.firstIndex(of: "Temp") {
        columns = (step, temperature)
      } else if let columns, words.count > max(columns.step, columns.temperature),
        let step = Int(words[columns.step]), let temperature = Double(words[columns.temperature])
      {
        steps.append(step)
        temperatures.append(temperature)
      }
    }
  }
}
