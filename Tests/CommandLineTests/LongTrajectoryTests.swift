import CZlib
import DiffNNP
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct LongTrajectoryTests {
  /// A few frames of 2000 atoms near the sites of a lattice, to be written many times: making them must not take longer than
  /// reading them.
  private static let frames: [[SIMD3<Double>]] = {
    var random = Philox(seed: 1, purpose: .noise, frame: 0)
    return (0..<5).map { _ in
      (0..<2000).map { i in
        let x = SIMD3(Double(i % 20), Double(i / 20 % 10), Double(i / 200)) * 2 + 0.2 * random.normal3()
        return (1000 * x).rounded(.toNearestOrEven) / 1000
      }
    }
  }()

  private func writeText(_ count: Int, _ name: String) throws {
    let file = try ReplacementFile(name)
    let texts = Self.frames.map { frame in
      "2000\nLattice=\"40 0 0 0 20 0 0 0 20\" Properties=species:S:1:pos:R:3 pbc=\"T T T\"\n"
        + frame.map { "Ar \($0.x) \($0.y) \($0.z)\n" }.joined()
    }
    for k in 0..<count { try file.write(texts[k % texts.count]) }
    try file.commit()
  }

  private func writeArchive(_ count: Int, _ name: String) throws {
    let frames = Self.frames.map { frame in bytes(frame.flatMap { [$0.x, $0.y, $0.z] }) }
    let file = try ReplacementFile(name)
    var (directory, offset): ([UInt8], Int) = ([], 0)
    let arrays: [(name: String, type: String, shape: String, pieces: [[UInt8]])] = [
      ("z", "<i4", "2000,", [bytes(Array(repeating: Int32(18), count: 2000))]),
      ("cell", "<f8", "3, 3", [bytes([40.0, 0, 0, 0, 20, 0, 0, 0, 20])]),
      ("R", "<f8", "\(count), 2000, 3", (0..<count).map { frames[$0 % frames.count] }),
    ]
    for (name, type, shape, pieces) in arrays {
      let header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(shape))}\n"
      let prefix = [0x93] + Array("NUMPY".utf8) + [1, 0] + bytes([UInt16(header.utf8.count)]) + Array(header.utf8)
      let checksum = ([prefix] + pieces).reduce(UInt(0)) { crc32_z($0, $1, $1.count) }
      let size = UInt32(([prefix] + pieces).reduce(0) { $0 + $1.count })
      let entry =
        bytes([UInt16(20), 0, 0, 0, 0]) + bytes([UInt32(checksum), size, size])
        + bytes([UInt16(name.utf8.count + 4), 0])
      let local = bytes([UInt32(0x0403_4b50)]) + entry + Array((name + ".npy").utf8)
      directory += bytes([UInt32(0x0201_4b50)]) + bytes([UInt16(20)]) + entry
      directory += bytes([UInt16(0), 0, 0]) + bytes([UInt32(0), UInt32(offset)]) + Array((name + ".npy").utf8)
      for piece in [local, prefix] + pieces { try file.write(piece) }
      offset += local.count + Int(size)
    }
    try file.write(directory)
    let count = UInt16(arrays.count)
    try file.write(
      bytes([UInt32(0x0605_4b50)]) + bytes([UInt16(0), 0, count, count])
        + bytes([UInt32(directory.count), UInt32(offset)]) + [0, 0])
    try file.commit()
  }

  private func bytes<T>(_ values: [T]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }

  /// The largest memory (MiB) of a run of the program.
  private func peak(_ path: String, _ words: [String]) throws -> Int {
    var arguments = (["diffnnp"] + words).map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    var (child, actions) = (pid_t(), posix_spawn_file_actions_t())
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, path + ".messages", O_WRONLY | O_CREAT, 0o600)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, path + ".output", O_WRONLY | O_CREAT, 0o600)
    try #require(posix_spawn(&child, programPath, &actions, nil, &arguments, environ) == 0)
    var (status, usage): (Int32, rusage) = (0, rusage())
    try #require(wait4(child, &status, 0, &usage) == child && status == 0)
    return usage.ru_maxrss / 1024
  }

  private func trainingPeak(_ path: String) throws -> Int {
    try peak(
      path,
      [
        "train", path, "-o", path + ".model", "--temperature", "300", "--threads", "1", "--set",
        "pair.r_max=2.5", "--set", "pair.spacing=0.25", "--set", "triplets=false",
      ])
  }

  /// Nor does it where frames are analysed: 350 more in memory would take 25 MiB, and what is printed of them ten times that.
  @Test(arguments: [["rdf", "--rmax", "2.5", "--angles", "2.2"], ["evaluate", "--json"]])
  func memoryOfAnalysesDoesNotGrow(_ command: [String]) throws {
    try withDirectory { directory in
      let model = directory + "/m.safetensors"
      let pair = try PairTerm(typeCount: 1, rMax: 2.5, intervals: 5, free: Array(repeating: 0.1, count: 5))
      try Potential(typeNames: ["Ar"], energyScale: 0.02585, terms: [pair]).save(path: model)
      let peaks = try [250, 600].map { count in
        let path = directory + "/\(count).xyz"
        try writeText(count, path)
        let operands = command[0] == "evaluate" ? [model, path] : [path]
        return try peak(path, [command[0]] + operands + command.dropFirst())
      }
      #expect(peaks[1] < peaks[0] + 10, "\(peaks) MiB")
    }
  }

  /// Frames in memory would take 80 MiB more.
  @Test(arguments: ["xyz", "npz"]) func memoryDoesNotGrowWithTheNumberOfFrames(_ format: String) throws {
    try withDirectory { directory in
      let write = format == "xyz" ? writeText : writeArchive
      try write(300, directory + "/short." + format)
      try write(1300, directory + "/long." + format)
      let (short, long) = (
        try trainingPeak(directory + "/short." + format), try trainingPeak(directory + "/long." + format)
      )
      #expect(long < short + 10, "\(short) and \(long) MiB")
    }
  }
}
