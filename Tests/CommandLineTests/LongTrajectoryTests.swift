import DiffNNP
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct LongTrajectoryTests {
  /// Writes `name`: frames of 2000 atoms near the sites of a lattice.
  private func writeFrames(_ count: Int, _ name: String) throws {
    let file = try ReplacementFile(name)
    var random = Philox(seed: 1, purpose: .noise, frame: 0)
    // Few different frames, many times: making them must not take longer than reading them.
    let frames = (0..<5).map { _ -> String in
      var text = "2000\nLattice=\"40 0 0 0 20 0 0 0 20\" Properties=species:S:1:pos:R:3 pbc=\"T T T\"\n"
      for i in 0..<2000 {
        let x = SIMD3(Double(i % 20), Double(i / 20 % 10), Double(i / 200)) * 2 + 0.2 * random.normal3()
        func rounded(_ x: Double) -> Double { (x * 1000).rounded() / 1000 }
        text += "Ar \(rounded(x.x)) \(rounded(x.y)) \(rounded(x.z))\n"
      }
      return text
    }
    for k in 0..<count { try file.write(frames[k % frames.count]) }
    try file.commit()
  }

  /// The largest memory (MiB) of a training from some frames.
  private func peak(_ path: String) throws -> Int {
    let words = [
      "diffnnp", "train", path, "-o", path + ".model", "--temperature", "300", "--threads", "1", "--set",
      "pair.r_max=2.5", "--set", "pair.spacing=0.25", "--set", "noise.mode=fresh", "--set", "noise.sigma=0.1",
    ]
    var arguments = words.map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    var (child, actions) = (pid_t(), posix_spawn_file_actions_t())
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, path + ".messages", O_WRONLY | O_CREAT, 0o600)
    try #require(posix_spawn(&child, programPath, &actions, nil, &arguments, environ) == 0)
    var (status, usage): (Int32, rusage) = (0, rusage())
    try #require(wait4(child, &status, 0, &usage) == child && status == 0)
    return usage.ru_maxrss / 1024
  }

  /// Frames in memory would take 80 MiB more.
  @Test func memoryDoesNotGrowWithTheNumberOfFrames() throws {
    try withDirectory { directory in
      try writeFrames(300, directory + "/short.xyz")
      try writeFrames(1300, directory + "/long.xyz")
      let (short, long) = (try peak(directory + "/short.xyz"), try peak(directory + "/long.xyz"))
      #expect(long < short + 10, "\(short) and \(long) MiB")
    }
  }
}
