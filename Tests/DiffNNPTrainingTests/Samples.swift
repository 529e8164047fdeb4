import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// Trajectories sampled from potentials that are known.
enum Samples {
  /// Independent frames of two atoms whose distance has the density r² exp(-u(r)) on (0, largest), u in kT.
  static func dimers(_ count: Int, seed: UInt64, largest: Double = 8, _ u: (Double) -> Double) throws -> Trajectory {
    let cell = try Cell(orthogonal: [40, 40, 40])
    var random = Philox(seed: seed, purpose: .network, frame: 0)
    let bins = 4000
    var cumulative = [0.0]
    for k in 0..<bins {
      let r = (Double(k) + 0.5) * largest / Double(bins)
      cumulative.append(cumulative[k] + r * r * exp(-u(r)))
    }
    let frames = (0..<count).map { _ -> Frame in
      let target = random.uniform() * cumulative[bins]
      var (low, high) = (0, bins)
      while high - low > 1 {
        let middle = (low + high) / 2
        if cumulative[middle] <= target { low = middle } else { high = middle }
      }
      let r = (Double(low) + random.uniform()) * largest / Double(bins)
      let direction = random.normal3()
      let centre = 40 * SIMD3(random.uniform(), random.uniform(), random.uniform())
      return Frame(cell: cell, positions: [centre, centre + (r / length(direction)) * direction], types: [0, 0])
    }
    return Trajectory(typeNames: ["A"], frames: frames)
  }

  /// Frames of a periodic fluid of one type by Metropolis' method, with the forces u' (kT/Å) on request in eV/Å at 300 K.
  static func fluid(
    _ count: Int, atoms: Int, edge: Double, rMax: Double, seed: UInt64, _ u: (Double) -> Double,
    slope: ((Double) -> Double)? = nil
  ) throws -> Trajectory {
    let cell = try Cell(orthogonal: [edge, edge, edge])
    var random = Philox(seed: seed, purpose: .network, frame: 0)
    let side = Int(cbrt(Double(atoms)).rounded(.up))
    var x = (0..<atoms).map { k in
      edge / Double(side) * SIMD3(Double(k % side), Double(k / side % side), Double(k / side / side))
    }
    func nearest(_ d: SIMD3<Double>) -> SIMD3<Double> { d - edge * (d / edge).rounded(.toNearestOrEven) }
    func energy(_ i: Int, at y: SIMD3<Double>) -> Double {
      var sum = 0.0
      for j in 0..<atoms where j != i {
        let r = length(nearest(x[j] - y))
        if r < rMax { sum += u(r) }
      }
      return sum
    }
    var frames: [Frame] = []
    for sweep in 0..<(count + 20) * 10 {
      for i in 0..<atoms {
        let y = x[i] + 1.0 * random.inBall()
        if random.uniform() < exp(energy(i, at: x[i]) - energy(i, at: y)) { x[i] = cell.wrapped(y) }
      }
      guard sweep >= 200, sweep % 10 == 0 else { continue }
      var frame = Frame(cell: cell, positions: x, types: x.map { _ in 0 })
      if let slope {
        frame.forces = x.indices.map { i in
          var force = SIMD3<Double>.zero
          for j in 0..<atoms where j != i {
            let d = nearest(x[j] - x[i])
            if length(d) < rMax { force += (slope(length(d)) / length(d)) * d }
          }
          return force * (boltzmannConstant * 300)
        }
      }
      frames.append(frame)
    }
    return Trajectory(typeNames: ["A"], frames: frames)
  }

  /// Settings of a fit of pairs alone.
  static func settings(rMax: Double, spacing: Double, threads: Int = 2) -> FitSettings {
    var settings = FitSettings()
    settings.triplets = nil
    settings.pairs.rMax = rMax
    settings.pairs.spacing = spacing
    settings.threads = threads
    return settings
  }

  static func fit(_ trajectory: Trajectory, _ settings: FitSettings) throws -> LinearFit.Result {
    try LinearFit(settings, temperature: 300).run(trajectory)
  }
}

extension LinearFit.Result {
  /// The terms of pairs, with walls, and of triplets.
  func pairTerm() throws -> PairTerm { try terms()[0] as! PairTerm }
  var triplets: TripletTerm? { try? terms().lazy.compactMap { $0 as? TripletTerm }.first }

  /// Functions and coefficients of pairs.
  var basis: PairBasis { (model.features[0] as! PairFeatures).basis }
  var pairCoefficients: [Double] { model.coefficients(ofFamily: 0, in: coefficients) }
}

extension LinearModel {
  /// Functions of pairs, without walls, and perhaps of triplets.
  init(_ pairs: PairBasis, _ triplets: TripletBasis? = nil, known: (any KnownPart)? = nil) {
    let noWalls = Array(repeating: Double.infinity, count: pairs.pairCount)
    self.init(
      [PairFeatures(basis: pairs, wallDistances: noWalls)] + (triplets.map { [TripletFeatures(basis: $0)] } ?? []),
      known: known)
  }
}
