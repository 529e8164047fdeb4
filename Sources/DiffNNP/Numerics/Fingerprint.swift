/// A number that tells contents apart: FNV-1a, 64 bits (Fowler, Noll & Vo).
public struct Fingerprint: Equatable, Sendable {
  /// Hash of the bytes added until now.
  public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  /// The fingerprint of nothing: FNV's offset basis.
  public init() {}

  /// Adds one byte.
  public mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }

  /// Adds bytes in their order.
  public mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { add(byte) }
  }

  /// Adds eight bytes, the lowest first.
  public mutating func add(_ word: UInt64) {
    for k in 0..<8 { add(UInt8(truncatingIfNeeded: word >> UInt64(8 * k))) }
  }
}
