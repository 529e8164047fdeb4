/// The couplings of all general products, in three orders: by output, by input and by harmonic. Sums over couplings
/// then stay in a register until the last one of their target.
struct CouplingTable: Sendable {
  /// One coupling: of m1 of the input, m2 of the harmonic and m3 of the output.
  struct Entry: Sendable {
    var m1: Int
    var m2: Int
    var m3: Int
    var c: Double
    /// Whether the next one has another target.
    var isLast: Bool
  }

  private(set) var byOutput: [Entry] = []
  private(set) var byInput: [Entry] = []
  private(set) var byHarmonic: [Entry] = []

  /// Adds the couplings of a product, and returns their range, the same in each order.
  mutating func append(_ couplings: [NetworkPlan.Coupling]) -> Range<Int> {
    let first = byOutput.count
    byOutput += Self.sorted(couplings, by: \.m3)
    byInput += Self.sorted(couplings, by: \.m1)
    byHarmonic += Self.sorted(couplings, by: \.m2)
    return first..<byOutput.count
  }

  private static func sorted(_ couplings: [NetworkPlan.Coupling], by target: KeyPath<NetworkPlan.Coupling, Int>)
    -> [Entry]
  {
    let sorted = couplings.sorted { $0[keyPath: target] < $1[keyPath: target] }
    return sorted.indices.map { k in
      let (coupling, next) = (sorted[k], k + 1 < sorted.count ? sorted[k + 1] : nil)
      return Entry(
        m1: coupling.m1, m2: coupling.m2, m3: coupling.m3, c: coupling.c,
        isLast: next?[keyPath: target] != coupling[keyPath: target])
    }
  }

  /// The table as kernels read it.
  struct Pointers {
    let byOutput: UnsafePointer<Entry>
    let byInput: UnsafePointer<Entry>
    let byHarmonic: UnsafePointer<Entry>
  }

  /// Gives `body` pointers that are valid while it runs. They point at nothing where there are no couplings.
  @inline(__always)
  func withPointers(_ body: (Pointers) -> Void) {
    byOutput.withUnsafeBufferPointer { byOutput in
      byInput.withUnsafeBufferPointer { byInput in
        byHarmonic.withUnsafeBufferPointer { byHarmonic in
          guard let a = byOutput.baseAddress, let b = byInput.baseAddress, let c = byHarmonic.baseAddress else {
            let nothing = UnsafePointer<Entry>(bitPattern: MemoryLayout<Entry>.alignment)!
            return body(Pointers(byOutput: nothing, byInput: nothing, byHarmonic: nothing))
          }
          body(Pointers(byOutput: a, byInput: b, byHarmonic: c))
        }
      }
    }
  }
}
