import Testing

@testable import DiffNNP

@Suite struct PhiloxTests {
  /// Numbers of frames, atoms and copies may be large.
  @Test func streamsDoNotOverlap() {
    var first: Set<UInt64> = []
    let (frames, streams) = ([0, 1, 1 << 32, 1 << 55], [0, 1, 0xFF_FFFF, 1 << 24, 3 << 24, 1 << 31])
    let purposes: [Philox.Purpose] = [.noise, .candidates, .hessian]
    for purpose in purposes {
      for frame in frames {
        for stream in streams {
          var random = Philox(seed: 7, purpose: purpose, frame: frame, stream: stream)
          first.insert(random.next())
        }
      }
    }
    #expect(first.count == purposes.count * frames.count * streams.count)
  }

  /// Known answers of the Random123 library for philox4x32, 10 rounds.
  @Test func philoxAgreesWithItsReference() {
    #expect(Philox.rounds(.zero, .zero) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
    let ones = SIMD4<UInt32>(repeating: .max)
    #expect(Philox.rounds(ones, [.max, .max]) == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
  }

  @Test func streamsAreReproducibleAndDistinct() {
    var first = Philox(seed: 7, purpose: .noise, frame: 3, stream: 2)
    var same = Philox(seed: 7, purpose: .noise, frame: 3, stream: 2)
    var others = [
      Philox(seed: 8, purpose: .noise, frame: 3, stream: 2), Philox(seed: 7, purpose: .candidates, frame: 3, stream: 2),
      Philox(seed: 7, purpose: .noise, frame: 4, stream: 2), Philox(seed: 7, purpose: .noise, frame: 3, stream: 1),
    ]
    for _ in 0..<5 {
      let value = first.next()
      #expect(value == same.next())
      for k in others.indices { #expect(value != others[k].next()) }
    }
  }

  /// Whoever names a stream gets the same numbers from every version, to the rounding of logarithm and cosine.
  @Test func normalsAreThoseOfEveryVersion() {
    var random = Philox(seed: 1, purpose: .noise, frame: 2, stream: 3)
    for value in [-1.1046617728160966, -0.9584472809102248, -2.665600699406742, -0.7572017504304334] {
      #expect(abs(random.normal() - value) < 1e-14)
    }
  }

  @Test func normalsHaveUnitVariance() {
    var random = Philox(seed: 1, purpose: .noise, frame: 0)
    let values = (0..<20_000).map { _ in random.normal() }
    let mean = values.reduce(0, +) / 20_000
    let variance = values.reduce(0) { $0 + $1 * $1 } / 20_000
    #expect(abs(mean) < 0.03)
    #expect(abs(variance - 1) < 0.05)
  }
}
