import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// Frames in a temporary file that has no name and goes with the process: written one after the other, then read in any
/// order by any thread.
final class FrameFile: @unchecked Sendable {
  let file: TemporaryFile
  /// Offsets at which each frame begins, and at which the last one ends (bytes).
  private var offsets = [0]
  private var atomCounts: [Int32] = []
  private var pending: [UInt8] = []
  private static let bufferSize = 1 << 20
  /// The error of the first read that failed, guarded by the mutex.
  private var failure: DiffNNPError?
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  /// The beginning of a frame in the file, before its atoms.
  private struct Header {
    var number: Int
    var atomCount: Int
    var hasForces: Bool
    var cell: (SIMD3<Double>, SIMD3<Double>, SIMD3<Double>)
    var periodic: (Bool, Bool, Bool)
  }

  /// - Parameter directory: where the file is made; the directory of `TemporaryFile` by default.
  /// - Throws: where no file can be made there.
  init(directory: String? = nil) throws {
    pthread_mutex_init(mutex, nil)
    file = try TemporaryFile(in: directory)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  var count: Int { offsets.count - 1 }

  // MARK: Writing

  /// - Throws: where the file cannot be written.
  func append(_ frame: Frame) throws {
    let start = pending.count
    let (vectors, periodic) = (frame.cell.vectors, frame.cell.periodic)
    var header = Header(
      number: frame.number, atomCount: frame.positions.count, hasForces: frame.forces != nil,
      cell: (vectors[0], vectors[1], vectors[2]), periodic: (periodic[0], periodic[1], periodic[2]))
    withUnsafeBytes(of: &header) { pending.append(contentsOf: $0) }
    frame.positions.withUnsafeBytes { pending.append(contentsOf: $0) }
    frame.types.withUnsafeBytes { pending.append(contentsOf: $0) }
    frame.forces?.withUnsafeBytes { pending.append(contentsOf: $0) }
    offsets.append(offsets[count] + pending.count - start)
    atomCounts.append(Int32(frame.positions.count))
    if pending.count >= Self.bufferSize { try flush() }
  }

  /// Writes the frames that are still in memory; only then can frames be read.
  func flush() throws {
    try file.write(pending)
    pending.removeAll(keepingCapacity: true)
  }

  // MARK: Reading

  func atomCount(_ k: Int) -> Int { Int(atomCounts[k]) }

  /// - Throws: where a frame could not be read.
  func check() throws {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    if let failure { throw failure }
  }

  /// A substitute for a frame that cannot be read: of as many atoms, with NaN as all numbers.
  func unreadable(_ k: Int) -> Frame {
    let n = atomCount(k)
    let nowhere = [SIMD3<Double>](repeating: SIMD3(repeating: .nan), count: n)
    let atomSize = MemoryLayout<SIMD3<Double>>.stride + MemoryLayout<Int>.stride
    let hasForces = offsets[k + 1] - offsets[k] > MemoryLayout<Header>.size + n * atomSize
    return Frame(
      cell: Self.anyCell, positions: nowhere, types: Array(repeating: 0, count: n), forces: hasForces ? nowhere : nil,
      number: k)
  }

  private static let anyCell = try! Cell(orthogonal: [1, 1, 1])

  /// The frame with a number, counted from 0.
  /// - Throws: where it cannot be read, now or before.
  func frame(_ k: Int) throws -> Frame {
    try check()
    let bytes = UnsafeMutableRawBufferPointer.allocate(
      byteCount: offsets[k + 1] - offsets[k], alignment: MemoryLayout<SIMD3<Double>>.alignment)
    defer { bytes.deallocate() }
    try read(into: bytes, at: offsets[k])
    let header = bytes.load(as: Header.self)
    let n = header.atomCount
    var place = MemoryLayout<Header>.size
    func next<Element>(_ type: Element.Type) -> [Element] {
      defer { place += n * MemoryLayout<Element>.stride }
      return [Element](unsafeUninitializedCapacity: n) { buffer, count in
        UnsafeMutableRawBufferPointer(buffer).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: bytes[place..<place + n * MemoryLayout<Element>.stride]))
        count = n
      }
    }
    let (a, b, c) = header.cell
    let (alongA, alongB, alongC) = header.periodic
    return Frame(
      // It was a cell before.
      cell: try! Cell(vectors: [a, b, c], periodic: [alongA, alongB, alongC]), positions: next(SIMD3<Double>.self),
      types: next(Int.self),
      forces: header.hasForces ? next(SIMD3<Double>.self) : nil, number: header.number)
  }

  private func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    do { try file.read(into: bytes, at: offset) } catch let error as DiffNNPError {
      pthread_mutex_lock(mutex)
      defer { pthread_mutex_unlock(mutex) }
      failure = failure ?? error
      throw error
    }
  }
}
