#if canImport(Glibc)
  import Glibc
#endif

/// A unit in which programs write forces, as it may occur in a file that does not name it.
public struct ForceUnit: Sendable {
  /// Name, as it is usually written.
  public let name: String
  /// The size of 1 eV/Å in this unit.
  public let factor: Double

  /// eV in kcal/mol, kJ/mol and Hartree, and Å in Bohr (CODATA 2018).
  private static let (kilocalorie, kilojoule, hartree, bohr) = (23.060548, 96.485332, 0.036749322, 1.8897261)

  static let known = [
    ForceUnit(name: "kcal/mol/Å", factor: kilocalorie), ForceUnit(name: "kcal/mol/nm", factor: 10 * kilocalorie),
    ForceUnit(name: "kJ/mol/Å", factor: kilojoule), ForceUnit(name: "kJ/mol/nm", factor: 10 * kilojoule),
    ForceUnit(name: "Hartree/Bohr", factor: hartree / bohr), ForceUnit(name: "Hartree/Å", factor: hartree),
    ForceUnit(name: "Rydberg/Bohr", factor: 2 * hartree / bohr), ForceUnit(name: "Rydberg/Å", factor: 2 * hartree),
    ForceUnit(name: "eV/nm", factor: 10), ForceUnit(name: "eV/Bohr", factor: 1 / bohr),
    ForceUnit(name: "meV/Å", factor: 1000),
    ForceUnit(name: "K/Å, energies over Boltzmann's constant", factor: 11604.518),
  ]

  /// The known units whose factors agree with the size of a slope to within a tolerance, the nearest first. For
  /// negative slopes, eV/Å itself is one of them: gradients, which have the opposite sign.
  /// - Parameter tolerance: largest relative difference of factors.
  static func candidates(for slope: Double, within tolerance: Double) -> [ForceUnit] {
    guard slope.isFinite, slope != 0 else { return [] }
    let units = slope < 0 ? known + [ForceUnit(name: "eV/Å", factor: 1)] : known
    func distance(_ unit: ForceUnit) -> Double { abs(abs(slope) / unit.factor - 1) }
    return units.filter { distance($0) < tolerance }.sorted { distance($0) < distance($1) }
  }

  /// The name, and the size of 1 eV/Å in this unit to four digits.
  var text: String {
    let unit = exp(log(10) * (log10(factor).rounded(.down) - 3))
    let digits = unit < 1 ? "\((factor / unit).rounded() / (1 / unit).rounded())" : "\(Int(factor.rounded()))"
    return "\(name) (1 eV/Å is \(digits))"
  }
}
