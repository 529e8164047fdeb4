/// A part of the objective of a linear model, -log likelihood of some data; parts are added.
protocol ObjectivePart: Sendable {
  /// The name in tables and messages.
  var name: String { get }
  /// Whether it is a quadratic form, so that one expansion is exact everywhere.
  var isQuadratic: Bool { get }
  /// Expansions about given coefficients, for each block of time.
  /// - Throws: where a frame cannot be read, or another rank fails.
  func expansions(about coefficients: [Double], _ effort: MinimisationEffort) throws -> [Expansion]
}

/// An objective about given coefficients, summed over one block of time: ½ c'Gc - h'c + constant to second order.
struct Expansion {
  var form: QuadraticForm
  var constant: Double
  /// The objective itself at the point of expansion.
  var value: Double

  init(_ form: QuadraticForm, constant: Double, value: Double) {
    (self.form, self.constant, self.value) = (form, constant, value)
  }

  /// Converts the value, gradient and Hessian at c to a quadratic form in the coefficients themselves.
  /// - Parameters:
  ///   - sums: the Hessian as the matrix, and the gradient as the vector.
  ///   - value: the objective at c.
  init(_ sums: QuadraticForm, value: Double, about c: [Double]) {
    let curved = sums.product(c)
    (form, constant, self.value) = (sums, value, value)
    for k in 0..<c.count {
      constant += c[k] * (0.5 * curved[k] - sums.vector[k])
      form.vector[k] = curved[k] - sums.vector[k]
    }
  }
}

/// A part that is a quadratic form of all coefficients.
struct QuadraticPart: ObjectivePart {
  let name: String
  /// ½ c'Gc - h'c for each block of time.
  let forms: [QuadraticForm]
  /// The constant that is added to each form.
  let constants: [Double]

  var isQuadratic: Bool { true }

  /// The form of all blocks.
  var total: QuadraticForm { .sum(forms) }

  func expansions(about c: [Double], _ effort: MinimisationEffort) -> [Expansion] {
    zip(forms, constants).map { Expansion($0, constant: $1, value: $0.value(c) + $1) }
  }
}
