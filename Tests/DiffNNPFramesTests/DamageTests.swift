import DiffNNP
import Testing

@testable import DiffNNPFrames

@Suite struct DamageTests {
  /// Any damage ends in an error or in frames, never in a trap.
  @Test(arguments: [
    "stored.npz", "deflated.npz", "per_frame.npz", "ase.xyz", "ase.xyz.gz", "metal.lammpstrj", "scaled.lammpstrj.gz",
  ])
  func survives(_ name: String) throws {
    let whole = try contents(fixture(name))
    for length in stride(from: 0, to: whole.count, by: 7) {
      try withFile(whole[..<length]) { #expect(!readingError($0).hasPrefix("other error")) }
    }
    var random = SplitMix(seed: 7)
    for _ in 0..<500 {
      var bytes = whole
      for _ in 0..<3 {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      try withFile(bytes) { #expect(!readingError($0).hasPrefix("other error")) }
    }
  }

  @Test(arguments: ["stored.npz", "deflated.npz"])
  func noticesTruncatedArchives(_ name: String) throws {
    let whole = try contents(fixture(name))
    for length in stride(from: 0, to: whole.count, by: 7) {
      try withFile(whole[..<length]) { #expect(readingError($0) != "no error") }
    }
  }
}

/// A small reproducible generator (Steele, Lea & Flood, 2014).
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
