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
  func value<X: Elementary>(_ x: X) -> X {
    let (c, zero, one) = (X.constant(normalisation), X.constant(0), X.constant(1))
    switch self {
    case .silu: return c * x * Self.logistic(x)
    case .tanh: return c * (X.constant(2) * Self.logistic(x + x) - one)
    case .ssp:
      // log(½ e^x + ½) = max(x, 0) + log(1 + e^-|x|) - log 2
      let tail = X.log(one + X.exp(X.select(x, negative: x, else: zero - x)))
      return c * (X.select(x, negative: zero, else: x) + tail - X.constant(0.6931471805599453))
    case .abs: return c * X.select(x, negative: zero - x, else: x)
    }
  }

  /// The derivative of the scaled function.
  @inline(__always)
  func slope<X: Elementary>(_ x: X) -> X {
    let (c, one) = (X.constant(normalisation), X.constant(1))
    switch self {
    case .silu:
      let s = Self.logistic(x)
      return c * s * (one + x * (one - s))
    case .tanh:
      let s = Self.logistic(x + x)
      return c * X.constant(4) * s * (one - s)
    case .ssp: return c * Self.logistic(x)
    case .abs: return X.select(x, negative: X.constant(-normalisation), else: c)
    }
  }

  /// 1/(1 + e^-x), through e^-|x|: an infinite exponential would leave dual numbers without a tangent.
  @inline(__always)
  static func logistic<X: Elementary>(_ x: X) -> X {
    let e = X.exp(X.select(x, negative: x, else: X.constant(0) - x))
    return X.select(x, negative: e, else: X.constant(1)) / (X.constant(1) + e)
  }
}
