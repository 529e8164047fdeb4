import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

func seconds() -> Double {
  var t = timespec()
  clock_gettime(CLOCK_MONOTONIC, &t)
  return Double(t.tv_sec) + 1e-9 * Double(t.tv_nsec)
}
struct G: RandomNumberGenerator {
  var s: UInt64 = 1;
  mutating func next() -> UInt64 {
    s = s &* 6364136223846793005 &+ 1442695040888963407; var x = s; x ^= x >> 33; x = x &* 0xff51afd7ed558ccd;
    x ^= x >> 33; return x
  }
}
var g = G()
var arch = NetworkArchitecture(
  typeNames: ["Li", "Cl"], rMax: 10, numLayers: 2, lMax: 1, numFeatures: 8, invariantNeurons: 8, avgNumNeighbors: 11.88)
arch.features = try Irreps("8x0e+8x1e"); arch.edgeHarmonics = try Irreps("1x0e+1x1e")
let n = try Network.parameterCount(arch)
let net = try Network(arch, parameters: (0..<n).map { _ in Double.random(in: -1...1, using: &g) })
let pot = try Potential(typeNames: ["Li", "Cl"], energyScale: 1, pair: nil, network: net)
for N in [48, 384, 3072] {
  let L = 25.26 * cbrt(Double(N) / 48)
  let cell = try Cell(orthogonal: [L, L, L])
  let x = (0..<N).map { _ in SIMD3<Double>.random(in: 0..<L, using: &g) }
  let edges = EdgeList()
  let search = NeighbourSearch()
  let conf = Configuration(cell: cell, positions: x, types: (0..<N).map { $0 % 2 })
  var t0 = seconds()
  try search.fill(edges, conf, cutoff: 10)
  let tn = seconds() - t0
  for p in [Precision.single, .double] {
    let ev = Evaluator(pot, precision: p)
    var f = [Double](repeating: 0, count: 3 * N)
    var best = 1e9
    for _ in 0..<(p == .single ? 100000 / N : 3) {
      t0 = seconds()
      f.withUnsafeMutableBufferPointer { _ = ev.compute(edges, into: .init(forces: $0.baseAddress!)) }
      best = min(best, seconds() - t0)
    }
    print(N, p, edges.count / N, "us/atom", best / Double(N) * 1e6, "neigh", tn / Double(N) * 1e6)
  }
}
