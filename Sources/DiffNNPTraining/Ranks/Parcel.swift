/// A buffer of 64-bit words that takes values from one rank to another without loss.
struct Parcel {
  private(set) var words: [UInt64] = []
  private var position = 0

  init() {}
  init(_ words: some Sequence<UInt64>) { self.words = Array(words) }

  mutating func put(_ value: UInt64) { words.append(value) }

  mutating func put<Value: Parcelled>(_ values: [Value]) {
    put(UInt64(values.count))
    for value in values { value.put(into: &self) }
  }

  mutating func take() -> UInt64 {
    defer { position += 1 }
    return words[position]
  }

  mutating func take<Value: Parcelled>(_ type: Value.Type = Value.self) -> [Value] {
    let count = Int(take())
    return (0..<count).map { _ in Value(from: &self) }
  }
}

/// Values that can be sent between ranks.
protocol Parcelled {
  func put(into parcel: inout Parcel)
  /// Reads what `put` wrote, in the same order.
  init(from parcel: inout Parcel)
}

extension Double: Parcelled {
  func put(into parcel: inout Parcel) { parcel.put(bitPattern) }
  init(from parcel: inout Parcel) { self.init(bitPattern: parcel.take()) }
}

extension Int: Parcelled {
  func put(into parcel: inout Parcel) { parcel.put(UInt64(bitPattern: Int64(self))) }
  init(from parcel: inout Parcel) { self.init(Int64(bitPattern: parcel.take())) }
}

extension Array: Parcelled where Element: Parcelled {
  func put(into parcel: inout Parcel) { parcel.put(self) }
  init(from parcel: inout Parcel) { self = parcel.take() }
}

extension SIMD3<Double>: Parcelled {
  func put(into parcel: inout Parcel) { for k in 0..<3 { self[k].put(into: &parcel) } }
  init(from parcel: inout Parcel) {
    self.init(Double(from: &parcel), Double(from: &parcel), Double(from: &parcel))
  }
}

extension QuadraticForm: Parcelled {
  func put(into parcel: inout Parcel) {
    parcel.put(matrix)
    parcel.put(vector)
  }

  init(from parcel: inout Parcel) {
    self.init(matrix: parcel.take(), vector: parcel.take())
  }
}
