import DiffNNPTraining

/// The highest speeds of a core of this machine, and of all together, as measured.
struct MachineLimits {
  /// Floating-point operations for each second (10⁹/s) in single and in double precision, a multiplication and an
  /// addition counted as two.
  let single: Double
  let double: Double
  /// Operations per second (10⁹/s) in single precision, of all processors at once. Virtual processors may be threads of
  /// one core, which together are no faster than one alone; then code that is bound by arithmetic gains nothing from
  /// more of them.
  let singleTogether: Double
  let processors = Parallel.usableProcessorCount
  /// Bytes read from memory for each second (10⁹/s).
  let bandwidth: Double

  init(quick: Bool) {
    let stopwatch = Stopwatch(seconds: quick ? 0 : 0.2, fewest: 3)
    single = Self.arithmetic(stopwatch, SIMD8<Float>.self)
    double = Self.arithmetic(stopwatch, SIMD4<Double>.self)
    singleTogether = Self.arithmeticTogether(stopwatch, processors: processors)
    bandwidth = Self.bandwidth(stopwatch)
  }

  /// The rate of twelve chains of multiplications and additions, as many as keep two units busy that take four cycles
  /// each.
  private static func arithmetic<V: SIMD>(_ stopwatch: Stopwatch, _: V.Type) -> Double
  where V.Scalar: BinaryFloatingPoint {
    let turns = 1_000_000
    var results: [V] = []
    let times = stopwatch.measure { results.append(chains(turns)) }
    // The results are used, so that the compiler does not remove the loop.
    precondition(results.allSatisfy { $0[0].isFinite })
    return rate(V.self, turns, times)
  }

  /// The rate (10⁹/s) of operations of twelve chains, by the shortest of the times for `turns` steps of each.
  private static func rate<V: SIMD>(_: V.Type, _ turns: Int, _ times: [Double]) -> Double {
    1e-9 * Double(2 * 12 * V.scalarCount * turns) / (times.min() ?? .infinity)
  }

  private static func arithmeticTogether(_ stopwatch: Stopwatch, processors: Int) -> Double {
    // Many enough for the start of threads not to matter.
    let turns = 20_000_000
    var stopwatch = stopwatch
    stopwatch.usesWallClock = true
    let times = stopwatch.measure {
      let results = try? Parallel.map(processors, threads: processors) { _ -> SIMD8<Float> in chains(turns) }
      precondition(results?.allSatisfy { $0[0].isFinite } ?? true)
    }
    return rate(SIMD8<Float>.self, turns * processors, times)
  }

  @_specialize(where V == SIMD8<Float>)
  @_specialize(where V == SIMD4<Double>)
  @inline(never)
  private static func chains<V: SIMD>(_ turns: Int) -> V where V.Scalar: BinaryFloatingPoint {
    let (factor, term) = (V(repeating: 0.5), V(repeating: 0.25))
    var x = InlineArray<12, V>(repeating: factor)
    for k in 0..<12 { x[k] = V(repeating: V.Scalar(k)) }
    for _ in 0..<turns {
      for k in 0..<12 { x[k] = term.addingProduct(x[k], factor) }
    }
    var sum = V(repeating: 0)
    for k in 0..<12 { sum += x[k] }
    return sum
  }

  /// The rate of summing an array that is too large for any cache.
  private static func bandwidth(_ stopwatch: Stopwatch) -> Double {
    let count = 1 << 22
    let array = UnsafeMutablePointer<SIMD8<Float>>.allocate(capacity: count)
    array.initialize(repeating: SIMD8(repeating: 1), count: count)
    defer { array.deallocate() }
    var total: Float = 0
    let times = stopwatch.measure {
      var sums = (SIMD8<Float>.zero, SIMD8<Float>.zero, SIMD8<Float>.zero, SIMD8<Float>.zero)
      for k in stride(from: 0, to: count, by: 4) {
        sums.0 += array[k]
        sums.1 += array[k + 1]
        sums.2 += array[k + 2]
        sums.3 += array[k + 3]
      }
      total += (sums.0 + sums.1 + sums.2 + sums.3).sum()
    }
    precondition(total > 0)
    return 1e-9 * Double(count * MemoryLayout<SIMD8<Float>>.stride) / (times.min() ?? .infinity)
  }
}
