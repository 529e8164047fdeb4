/// Activation functions by NequIP's names, scaled as e3nn does so that E[f(x)²] = 1 for x ~ N(0, 1).
enum Activation: String, Sendable {
  case silu
  case tanh
  case ssp
  case abs

  /// e3nn's `normalize2mom` constants, which come from its fixed random sample, not from the integral.
  var normalisation: Double {
    switch self {
    case .silu: 1.6791767923989418
    case .tanh: 1.5937334472592695
    case .ssp: 1.8776750751409184
    case .abs: 1
    }
  }

  /// Whether f(-x) = f(x), or -f(x); nil for neither. Odd scalars may pass only through such functions.
  var parity: Int? {
    switch self {
    case .tanh: -1
    case .abs: 1
    case .silu, .ssp: nil
    }
  }

  /// The scaled function.
  @inline(__always)
  func value<S: Real>(_ x: S) -> S {
    S(normalisation) * plain(x)
  }

  @inline(__always)
  private func plain<S: Real>(_ x: S) -> S {
    switch self {
    case .silu: return x * Self.logistic(x)
    case .tanh: return S(2) * Self.logistic(x + x) - S(1)
    case .ssp: return x.primal > 30 ? x - S(0.6931471805599453) : S.log(S(0.5) * S.exp(x) + S(0.5))
    case .abs: return x.primal < 0 ? -x : x
    }
  }

  /// The derivative of the scaled function.
  @inline(__always)
  func slope<S: Real>(_ x: S) -> S {
    let c = S(normalisation)
    switch self {
    case .silu:
      let s = Self.logistic(x)
      return c * s * (S(1) + x * (S(1) - s))
    case .tanh:
      let s = Self.logistic(x + x)
      return c * S(4) * s * (S(1) - s)
    case .ssp: return c * Self.logistic(x)
    case .abs: return x.primal < 0 ? -c : c
    }
  }

  /// 1/(1 + e^-x), through e^-|x|: an infinite exponential would leave dual numbers without a tangent.
  @inline(__always)
  static func logistic<S: Real>(_ x: S) -> S {
    let e = S.exp(x.primal < 0 ? x : -x)
    return (x.primal < 0 ? e : S(1)) / (S(1) + e)
  }
}
