import DiffNNP
import DiffNNPFrames

/// The linear congruential generator of the reference numbers: the same few lines exist in any language.
struct LinearCongruential {
  var state: UInt64

  /// Uniform in 0..<1.
  mutating func next() -> Double {
    state = (1_103_515_245 * state + 12345) % (1 << 31)
    return Double(state) / Double(1 << 31)
  }

  mutating func point() -> SIMD3<Double> { [next(), next(), next()] }
}

/// A good generator with a seed (Steele, Lea & Flood, OOPSLA 2014).
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// Trajectories with known structure.
enum TestTrajectories {
  /// 6 frames of 10 + 14 atoms anywhere in a cell of 11 × 12 × 13 Å.
  static func random(seed: UInt64) throws -> Trajectory {
    var generator = LinearCongruential(state: seed)
    let edges: SIMD3<Double> = [11, 12, 13]
    let cell = try Cell(orthogonal: edges)
    let types = Array(repeating: 0, count: 10) + Array(repeating: 1, count: 14)
    return Trajectory(
      typeNames: ["A", "B"],
      frames: (0..<6).map { _ in
        Frame(cell: cell, positions: types.map { _ in generator.point() * edges }, types: types)
      })
  }

  /// Ideal gas of 12 + 20 atoms in triclinic cells that change from frame to frame.
  static func idealGas(frameCount: Int, seed: UInt64) throws -> Trajectory {
    var generator = SplitMix64(state: seed)
    let types = Array(repeating: 0, count: 12) + Array(repeating: 1, count: 20)
    let frames = try (0..<frameCount).map { _ in
      let size = Double.random(in: 9...10, using: &generator)
      let cell = try Cell(vectors: [[size, 0, 0], [2, size, 0], [-1, 3, size]])
      return Frame(
        cell: cell, positions: types.map { _ in cell.cartesian(.random(in: 0..<1, using: &generator)) }, types: types)
    }
    return Trajectory(typeNames: ["A", "B"], frames: frames)
  }

  /// One frame of a face-centred cubic crystal with nearest neighbours 1 Å apart, as primitive cells.
  static func faceCentredCubic(repeats n: Int) throws -> Trajectory {
    let h = 0.5.squareRoot()
    let primitive: [SIMD3<Double>] = [[0, h, h], [h, 0, h], [h, h, 0]]
    let cell = try Cell(vectors: primitive.map { Double(n) * $0 })
    let positions = (0..<n * n * n).map { k in
      Double(k % n) * primitive[0] + Double(k / n % n) * primitive[1] + Double(k / n / n) * primitive[2]
    }
    return Trajectory(
      typeNames: ["A"], frames: [Frame(cell: cell, positions: positions, types: positions.map { _ in 0 })])
  }
}
