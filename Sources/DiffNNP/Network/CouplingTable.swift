/// Products with a harmonic of degree l₂ as matrices. For one edge, a[m₃] = w Σ M[m₁ m₃] x[m₁] with
/// M[m₁ m₃] = Σ C[m₁ m₂ m₃] Y[m₂], the same for all channels: one matrix for each triple of degrees, whatever the number
/// of paths and channels.
///
/// An edge's matrices lie in one array of lanes. Products from and to scalars need none: theirs are the harmonics.
struct CouplingTable: Sendable {
  struct Product: Equatable, Sendable {
    var l1: Int
    var l2: Int
    var l3: Int
    /// First vector of the matrix in an edge's array, and number of vectors.
    var matrix: Int
    var vectors: Int
    /// First vector of the coefficients.
    var coefficients: Int
  }

  let width: Int
  private(set) var products: [Product] = []
  /// Coefficients of all products: for each m₂ a row over m₁ and m₃, padded to whole lanes.
  private(set) var coefficients: [Double] = []
  /// Vectors of an edge's array.
  private(set) var edgeVectors = 0

  init(width: Int) { self.width = width }

  /// The product of these degrees, entered where it is new.
  mutating func product(_ l1: Int, _ l2: Int, _ l3: Int, _ couplings: [NetworkPlan.Coupling]) -> Product {
    if let known = products.first(where: { ($0.l1, $0.l2, $0.l3) == (l1, l2, l3) }) { return known }
    let (d2, d3) = (2 * l2 + 1, 2 * l3 + 1)
    let vectors = ((2 * l1 + 1) * d3 + width - 1) / width
    let product = Product(
      l1: l1, l2: l2, l3: l3, matrix: edgeVectors, vectors: vectors, coefficients: coefficients.count / width)
    var rows = [Double](repeating: 0, count: d2 * vectors * width)
    for q in couplings { rows[q.m2 * vectors * width + q.m1 * d3 + q.m3] = q.c }
    coefficients += rows
    products.append(product)
    edgeVectors += vectors
    return product
  }
}
