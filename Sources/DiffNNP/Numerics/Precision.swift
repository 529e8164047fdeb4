/// Arithmetic of networks: single precision for dynamics, double for checks.
public enum Precision: String, CaseIterable, Sendable {
  case single, double
}
