/// What a thread keeps of a centre and its neighbours while it works on triplets. Memory only grows.
struct TripletScratch: ~Copyable {
  private var lanes = Buffer<SIMD4<Double>>()
  private var integers = Buffer<Int>()

  /// Pointers to the scratch memory. A row is the harmonics [lm] of one moment or neighbour, in as many vectors as they
  /// take; neighbours come four at a time.
  struct Pointers {
    /// A_{bk,lm} [row], of all B-splines k of each type b.
    let moments: UnsafeMutablePointer<SIMD4<Double>>
    /// dE/dA, as moments.
    let slopes: UnsafeMutablePointer<SIMD4<Double>>
    /// Y_lm of each neighbour, and then dE/dY_lm [row].
    let harmonics: UnsafeMutablePointer<SIMD4<Double>>
    /// Values of four radial functions and their derivatives by r (1/Å), [8] for each four neighbours.
    let radial: UnsafeMutablePointer<SIMD4<Double>>
    /// Unit vectors and 1/r (1/Å), [4] for each four neighbours.
    let directions: UnsafeMutablePointer<SIMD4<Double>>
    /// Terms of dE/dr at fixed direction [neighbour].
    let radialForces: UnsafeMutablePointer<SIMD4<Double>>
    /// Harmonics of four neighbours, and their gradients [lm].
    let four: UnsafeMutablePointer<SIMD4<Double>>
    /// The edge of each neighbour.
    let edges: UnsafeMutablePointer<Int>
    /// The first vector that each neighbour adds to in `moments`.
    let begins: UnsafeMutablePointer<Int>
    /// Channels that are not zero, and their vectors in `moments`.
    let channels: UnsafeMutablePointer<Int>
    let rows: UnsafeMutablePointer<Int>
  }

  /// Room for centres with so many neighbours.
  /// - Parameters:
  ///   - rowCount: of moments.
  ///   - width: vectors of a row.
  mutating func reserve(neighbours: Int, rowCount: Int, width: Int) throws -> Pointers {
    let fours = (neighbours + 3) / 4
    var next = try lanes.reserve(2 * rowCount * width + fours * (4 * width + 16) + 32)
    func take(_ count: Int) -> UnsafeMutablePointer<SIMD4<Double>> {
      defer { next += count }
      return next
    }
    let integers = try integers.reserve(8 * fours + 2 * rowCount)
    defer { assert(lanes.holds(next - lanes.pointer), "more was taken than reserved") }
    return Pointers(
      moments: take(rowCount * width), slopes: take(rowCount * width), harmonics: take(fours * 4 * width),
      radial: take(fours * 8), directions: take(fours * 4), radialForces: take(fours * 4), four: take(32),
      edges: integers, begins: integers + 4 * fours, channels: integers + 8 * fours,
      rows: integers + 8 * fours + rowCount)
  }
}
