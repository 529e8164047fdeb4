import DiffNNP

/// What the log of a LAMMPS run tells.
public struct LAMMPSLog: Equatable, Sendable {
  /// "LAMMPS (29 Sep 2021 - Update 2)" without the program's name and brackets; nil where the log does not say.
  public var version: String?
  /// Rows of thermodynamic output: step and temperature (K), in order, of all runs.
  public var steps: [Int] = []
  public var temperatures: [Double] = []
  /// Speed of the last run that ended (ns/day).
  public var nanosecondsPerDay: Double?
  /// The line that stopped the run; nil where none did.
  public var error: String?

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
