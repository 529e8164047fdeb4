/// The tensor product of NequIP ("uvu"), the kernel in which most of the time goes: channel by channel,
/// a[m₃] += w Σ C[m₁ m₂ m₃] Y[m₂] x[m₁], for one path and one edge. `Network+Reference` in the tests has it without the
/// special cases.
///
/// Pointers are to the first vector, or harmonic, that the path takes of each.
extension NetworkLayout.Path {
  /// Adds to `a` the product of a neighbour's features `x`, the edge's harmonics, and the radial weights `w`.
  /// - Parameter couplings: those of all paths.
  @inline(__always)
  func multiply<L: Lanes>(
    _ x: UnsafePointer<L>, _ ylm: UnsafePointer<L.Scalar>, _ w: UnsafePointer<L>,
    _ couplings: CouplingTable.Pointers, addingTo a: UnsafeMutablePointer<L>
  ) where L.Weight.Scalar: BinaryFloatingPoint {
    for v in 0..<vectors {
      switch kind {
      case .scalarInput:
        let wx = w[v] * x[v]
        for m in 0..<outputDimension { a[m &* vectors &+ v].add(wx, times: ylm[m]) }
      case .scalarEdge:
        for m in 0..<outputDimension { a[m &* vectors &+ v].add(w[v], times: x[m &* vectors &+ v]) }
      case .dot:
        var sum = L.zero
        for m in 0..<inputDimension { sum.add(x[m &* vectors &+ v], times: ylm[m]) }
        a[v].add(sum, times: w[v])
      case .general:
        var sum = L.zero
        for k in self.couplings {
          let q = couplings.byOutput[k]
          sum.add(x[q.m1 &* vectors &+ v], times: L.product(ylm[q.m2], L.Weight.Scalar(q.c)))
          if q.isLast {
            a[q.m3 &* vectors &+ v].add(sum, times: w[v])
            sum = .zero
          }
        }
      }
    }
  }

  /// From the gradient `g` with respect to the product: adds those with respect to features and harmonics to `gx` and
  /// `gYlm`, and sets that with respect to the radial weights, `gw`.
  /// - Parameter wantsHarmonics: whether `gYlm` is needed in full; products with couplings leave it where it is not.
  @inline(__always)
  func pullBack<L: Lanes>(
    _ g: UnsafePointer<L>, _ x: UnsafePointer<L>, _ ylm: UnsafePointer<L.Scalar>, _ w: UnsafePointer<L>,
    _ couplings: CouplingTable.Pointers, gx: UnsafeMutablePointer<L>,
    gYlm: UnsafeMutablePointer<L>, gw: UnsafeMutablePointer<L>, wantsHarmonics: Bool
  ) where L.Weight.Scalar: BinaryFloatingPoint {
    for v in 0..<vectors {
      switch kind {
      case .scalarInput:
        var sum = L.zero
        let wx = w[v] * x[v]
        for m in 0..<outputDimension {
          let gm = g[m &* vectors &+ v]
          sum.add(gm, times: ylm[m])
          gYlm[m].add(gm, times: wx)
        }
        gw[v] = sum * x[v]
        gx[v].add(sum, times: w[v])
      case .scalarEdge:
        var sum = L.zero
        for m in 0..<outputDimension {
          let k = m &* vectors &+ v
          sum.add(g[k], times: x[k])
          gx[k].add(g[k], times: w[v])
        }
        gw[v] = sum
      case .dot:
        var sum = L.zero
        let wg = w[v] * g[v]
        for m in 0..<inputDimension {
          let k = m &* vectors &+ v
          sum.add(x[k], times: ylm[m])
          gx[k].add(wg, times: ylm[m])
          gYlm[m].add(wg, times: x[k])
        }
        gw[v] = sum * g[v]
      case .general:
        var (total, sum) = (L.zero, L.zero)
        for k in self.couplings {
          let q = couplings.byOutput[k]
          sum.add(x[q.m1 &* vectors &+ v], times: L.product(ylm[q.m2], L.Weight.Scalar(q.c)))
          if q.isLast {
            total.add(sum, times: g[q.m3 &* vectors &+ v])
            sum = .zero
          }
        }
        gw[v] = total
        for k in self.couplings {
          let q = couplings.byInput[k]
          sum.add(g[q.m3 &* vectors &+ v], times: L.product(ylm[q.m2], L.Weight.Scalar(q.c)))
          if q.isLast {
            gx[q.m1 &* vectors &+ v].add(sum, times: w[v])
            sum = .zero
          }
        }
        guard wantsHarmonics else { continue }
        for k in self.couplings {
          let q = couplings.byHarmonic[k]
          sum.add(x[q.m1 &* vectors &+ v] * g[q.m3 &* vectors &+ v], constant: L.Weight.Scalar(q.c))
          if q.isLast {
            gYlm[q.m2].add(sum, times: w[v])
            sum = .zero
          }
        }
      }
    }
  }
}
