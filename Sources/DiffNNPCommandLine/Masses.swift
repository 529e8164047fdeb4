import DiffNNPAnalysis

/// The masses of atoms in simulations.
package enum Masses {
  /// Mass of each type (g/mol): from --mass NAME=M, or those of the elements.
  package static func of(_ types: [String], _ arguments: Arguments) throws -> [Double] {
    var given: [String: Double] = [:]
    for text in arguments.all("--mass") {
      let (name, mass) = try assignment(text, "--mass", example: "O=18.015")
      guard given[name] == nil else { throw UsageError("--mass names \(name) twice; give each type one mass") }
      guard types.contains(name), mass > 0 else {
        throw UsageError("--mass \(text): expected a positive mass of one of the types \(types.joined(separator: " "))")
      }
      given[name] = mass
    }
    return try types.map { type in
      guard let mass = given[type] ?? atomicMass(of: type) else {
        throw UsageError("\(type) is no element; give its mass with --mass \(type)=…")
      }
      return mass
    }
  }
}

/// An option's value of the form NAME=NUMBER.
package func assignment(_ text: String, _ option: String, example: String) throws -> (String, Double) {
  let parts = text.split(separator: "=").map(String.init)
  guard parts.count == 2, let value = Double(parts[1]), value.isFinite else {
    throw UsageError("\(option) is \"\(text)\"; expected a name and a number, \(example)")
  }
  return (parts[0], value)
}
