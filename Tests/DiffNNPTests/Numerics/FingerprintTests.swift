import DiffNNP
import Testing

@Suite struct FingerprintTests {
  /// Values of the authors' test suite.
  @Test(arguments: [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)])
  func isThatOfItsAuthors(_ text: String, _ value: UInt64) {
    var fingerprint = Fingerprint()
    fingerprint.add(text.utf8)
    #expect(fingerprint.value == value)
  }

  @Test func wordsAreEightBytes() {
    var (words, bytes) = (Fingerprint(), Fingerprint())
    words.add(UInt64(0x0807_0605_0403_0201))
    bytes.add([1, 2, 3, 4, 5, 6, 7, 8])
    #expect(words == bytes)
  }
}
