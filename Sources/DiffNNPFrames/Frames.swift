/// Frames in order of time, used like an array of them. Few are held in memory; of more than `memoryLimit`, each is
/// read from a temporary file when it is asked for, so that long trajectories need no more memory than short ones.
public struct Frames: RandomAccessCollection, MutableCollection, ExpressibleByArrayLiteral, Sendable {
  private enum Storage: Sendable {
    case memory([Frame])
    /// Frames of the file by number.
    case file(FrameFile, [Int])
  }

  private var storage: Storage
  /// The new number of each type, by the numbers in the storage; nil where types keep their numbers.
  private let newTypes: [Int]?

  /// Frames that take more than this (bytes) go into a file.
  public static let memoryLimit = 16 << 20

  private init(_ storage: Storage, newTypes: [Int]?) {
    self.storage = storage
    self.newTypes = newTypes
  }

  /// Frames in order of time, all held in memory.
  public init(_ frames: [Frame]) { self.init(.memory(frames), newTypes: nil) }
  public init(arrayLiteral frames: Frame...) { self.init(frames) }
  init(_ file: FrameFile) { self.init(.file(file, Array(0..<file.count)), newTypes: nil) }

  /// The number of the first frame, 0.
  public var startIndex: Int { 0 }

  /// The number after the last frame: the number of frames.
  public var endIndex: Int {
    switch storage {
    case .memory(let frames): frames.count
    case .file(_, let numbers): numbers.count
    }
  }

  /// The frame with number k.
  /// - Throws: where the temporary file cannot be read any more.
  public func frame(at k: Int) throws -> Frame {
    switch storage {
    case .memory(let frames): renumbered(frames[k])
    case .file(let file, let numbers): renumbered(try file.frame(numbers[k]))
    }
  }

  private func renumbered(_ frame: Frame) -> Frame {
    guard let newTypes else { return frame }
    var frame = frame
    frame.types = frame.types.map { newTypes[$0] }
    return frame
  }

  /// The frame with number k. To change one brings all into memory.
  public subscript(k: Int) -> Frame {
    get {
      switch storage {
      case .memory(let frames): renumbered(frames[k])
      case .file(let file, let numbers): renumbered((try? file.frame(numbers[k])) ?? file.unreadable(numbers[k]))
      }
    }
    set {
      var frames: [Frame]
      if newTypes == nil, case .memory(let held) = storage { frames = held } else { frames = Array(self) }
      // No second owner, so that nothing is copied.
      storage = .memory([])
      frames[k] = newValue
      self = Frames(frames)
    }
  }

  /// Checks whether all frames that were asked for could be read.
  /// - Throws: where a frame could not be read from the temporary file.
  public func check() throws {
    if case .file(let file, _) = storage { try file.check() }
  }

  /// Number of atoms of a frame, which need not be read for that.
  public func atomCount(at k: Int) -> Int {
    switch storage {
    case .memory(let frames): frames[k].positions.count
    case .file(let file, let numbers): file.atomCount(numbers[k])
    }
  }

  /// Number of atoms of all frames together.
  public var atomCount: Int { indices.reduce(0) { $0 + atomCount(at: $1) } }

  /// Some of the frames, in the order given; one may be there several times.
  public func at(_ indices: some Sequence<Int>) -> Frames {
    switch storage {
    case .memory(let frames): Frames(.memory(indices.map { frames[$0] }), newTypes: newTypes)
    case .file(let file, let numbers): Frames(.file(file, indices.map { numbers[$0] }), newTypes: newTypes)
    }
  }

  /// Frames that differ from these in the numbers of their types alone.
  /// - Parameter newTypes: what each type becomes.
  public func renumbered(_ newTypes: [Int]) -> Frames {
    Frames(storage, newTypes: self.newTypes.map { old in old.map { $0 < 0 ? $0 : newTypes[$0] } } ?? newTypes)
  }
}

/// Collects frames one by one.
struct FrameCollector {
  private let memoryLimit: Int
  private var memory: [Frame] = []
  private var size = 0
  private var file: FrameFile?

  init(memoryLimit: Int = Frames.memoryLimit) { self.memoryLimit = memoryLimit }

  /// Adds a frame, and moves all into a temporary file once they take too much memory.
  /// - Throws: where the temporary file cannot be written.
  mutating func append(_ frame: Frame) throws {
    if let file { return try file.append(frame) }
    memory.append(frame)
    size += frame.memorySize
    guard size > memoryLimit else { return }
    let file = try FrameFile()
    for frame in memory { try file.append(frame) }
    memory = []
    self.file = file
  }

  var isEmpty: Bool { memory.isEmpty && file == nil }

  /// The frames that were appended, in order.
  func frames() throws -> Frames {
    guard let file else { return Frames(memory) }
    try file.flush()
    return Frames(file)
  }
}

extension Frame {
  /// Memory that the frame takes (bytes, approximately).
  fileprivate var memorySize: Int {
    let atom = MemoryLayout<SIMD3<Double>>.stride * (forces == nil ? 1 : 2) + MemoryLayout<Int>.stride
    return MemoryLayout<Frame>.stride + 128 + atom * positions.count
  }
}
