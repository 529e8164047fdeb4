/// Arithmetic of networks: `single` precision (32 bits) for dynamics, `double` precision (64 bits) for checks.
public enum Precision: String, CaseIterable, Sendable {
  case single, double
}
