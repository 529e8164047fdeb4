/// Coefficients C[m₁ m₂ m₃] of the products a network takes, for each triple of degrees once, whatever the number of
/// paths and channels. Products from and to scalars need none: theirs is one number, which goes into the radial
/// weights.
struct CouplingTable: Sendable {
  /// [2l₁ + 1][2l₂ + 1][2l₃ + 1] for each triple.
  private(set) var coefficients: [Double] = []
  private var places: [[Int]: Int] = [:]

  /// The index where the coefficients of these degrees begin; they are added where they are new.
  mutating func place(_ l1: Int, _ l2: Int, _ l3: Int, _ couplings: [NetworkPlan.Coupling]) -> Int {
    if let known = places[[l1, l2, l3]] { return known }
    let place = coefficients.count
    let (d2, d3) = (2 * l2 + 1, 2 * l3 + 1)
    coefficients += [Double](repeating: 0, count: (2 * l1 + 1) * d2 * d3)
    for q in couplings { coefficients[place + (q.m1 * d2 + q.m2) * d3 + q.m3] = q.c }
    places[[l1, l2, l3]] = place
    return place
  }
}
