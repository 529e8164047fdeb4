import DiffNNP
import DiffNNPTraining
import Testing

/// `diffnnp train` with a network or a refinement, as a user runs, interrupts and resumes it.
@Suite struct StepwiseStageTests {
  private static let pairArguments =
    "train frames.xyz --temperature 300 --set pair.r_max=3.5 --set pair.spacing=0.25 --set triplets=false "
    + "--set refinement.steps=0 "
  private static let arguments =
    pairArguments + """
      --set network.features=2 --set network.layers=2 --set network.l_max=1 --set network.radial_width=3 --set network.r_max=3.5 \
      --set network.steps=45 --set network.validation_interval=3
      """

  @Test func trainsAndLogs() throws {
    try withDirectory { directory in
      try writeJitteredCrystals(directory)
      let run = try diffnnp(Self.arguments + " -o m.safetensors", in: directory)
      #expect(run.exitCode == 0 && run.output.isEmpty, "\(run.errors)")
      let potential = try Potential.load(path: directory + "/m.safetensors")
      #expect(
        potential.term(Network.self) != nil && potential.term(PairTerm.self) != nil && potential.metadata.sigma == 0.01)
      let log = String(decoding: try FileIO.read(directory + "/m.safetensors.network.csv"), as: UTF8.self)
      let rows = log.split(separator: "\n")
      #expect(rows.first == "step,loss,held_out,learning_rate" && rows.count == 16)
      #expect(throws: DiffNNPError.self) { try FileIO.read(directory + "/m.safetensors.checkpoint") }
    }
  }

  /// Interrupted at some step, and continued: the same weights, the same curve. There are seconds between the first checkpoint
  /// and the end, in which the signal has to come.
  @Test func interruptedTrainingContinues() throws {
    try withDirectory { directory in
      try writeJitteredCrystals(directory)
      let arguments = Self.arguments + " --set network.steps=1500 --set network.patience=0"
      let whole = try diffnnp(arguments + " -o whole.safetensors", in: directory)
      #expect(whole.exitCode == 0, "\(whole.errors)")
      let interrupted = try shellResult(
        """
        '\(programPath)' \(arguments) -o part.safetensors & pid=$!
        while kill -0 $pid && [ ! -e part.safetensors.checkpoint ]; do sleep 0.02; done 2>/dev/null
        kill -INT $pid; wait $pid
        """, in: directory)
      #expect(interrupted.exitCode == 130, "\(interrupted.errors)")
      #expect(interrupted.errors.contains("--resume continues"))
      let resumed = try diffnnp(arguments + " --resume -o part.safetensors", in: directory)
      #expect(resumed.exitCode == 0 && resumed.errors.contains("continuing from step"), "\(resumed.errors)")
      let same = try shellResult(
        "cmp whole.safetensors.network.csv part.safetensors.network.csv && cmp whole.safetensors part.safetensors",
        in: directory)
      #expect(same.exitCode == 0, "\(same.output)")
    }
  }

  /// The same for the refinement of pairs and triplets; a checkpoint of other frames is refused.
  @Test func interruptedRefinementContinues() throws {
    try withDirectory { directory in
      try writeJitteredCrystals(directory, side: 4, frames: 10)
      let arguments = "train frames.xyz --temperature 300 --set pair.r_max=3 --set pair.spacing=0.25"
      let whole = try diffnnp(arguments + " -o whole.safetensors", in: directory)
      #expect(whole.exitCode == 0, "\(whole.errors)")
      let interrupted = try shellResult(
        """
        '\(programPath)' \(arguments) -o part.safetensors & pid=$!
        while kill -0 $pid && [ ! -e part.safetensors.checkpoint ]; do sleep 0.02; done 2>/dev/null
        kill -INT $pid; wait $pid
        """, in: directory)
      #expect(interrupted.exitCode == 130, "\(interrupted.errors)")
      let other = try diffnnp(arguments + " --seed 2 --resume -o part.safetensors", in: directory)
      #expect(other.exitCode == 1 && other.errors.contains("other settings or frames"), "\(other.errors)")
      let resumed = try diffnnp(arguments + " --resume -o part.safetensors", in: directory)
      #expect(resumed.exitCode == 0 && resumed.errors.contains("of the refinement by likelihood"), "\(resumed.errors)")
      let same = try shellResult(
        "cmp whole.safetensors.refinement.csv part.safetensors.refinement.csv && cmp whole.safetensors part.safetensors",
        in: directory)
      #expect(same.exitCode == 0, "\(same.output)")
      #expect(throws: DiffNNPError.self) { try FileIO.read(directory + "/part.safetensors.checkpoint") }
    }
  }

  /// A checkpoint of other frames or settings, or a truncated one (no options), is refused and stays as it is.
  @Test(arguments: [
    ("--set seed=2", "other settings or frames"), ("--frames 0:8", "other settings or frames"), ("", "truncated"),
  ])
  func foreignCheckpointsAreRefused(_ options: String, _ reason: String) throws {
    try withDirectory { directory in
      try writeJitteredCrystals(directory)
      let path = directory + "/m.safetensors.checkpoint"
      let interrupted = try shellResult(
        """
        '\(programPath)' \(Self.arguments) --set network.steps=100000 --set network.patience=0 -o m.safetensors & pid=$!
        while kill -0 $pid && [ ! -e m.safetensors.checkpoint ]; do sleep 0.05; done 2>/dev/null
        kill -INT $pid; wait $pid
        """, in: directory)
      #expect(interrupted.exitCode == 130, "\(interrupted.errors)")
      if options.isEmpty { try FileIO.write(try FileIO.read(path).prefix(100), to: path) }
      let checkpoint = try FileIO.read(path)
      try FileIO.write("precious".utf8, to: directory + "/m.safetensors.fit.csv")
      let run = try diffnnp(
        Self.arguments + " --set network.steps=100000 --set network.patience=0 --resume -o m.safetensors " + options,
        in: directory)
      #expect(run.exitCode == 1 && run.errors.contains("m.safetensors.checkpoint"), "\(run.errors)")
      #expect(run.errors.contains(reason), "\(run.errors)")
      #expect(run.errors.filter { $0 == "\n" }.count == 1)
      #expect(try FileIO.read(path) == checkpoint)
      #expect(try FileIO.read(directory + "/m.safetensors.fit.csv") == Array("precious".utf8))
    }
  }

  /// The checkpoints of all members of an ensemble are looked at before the work.
  @Test func foreignCheckpointsOfMembersAreRefused() throws {
    try withDirectory { directory in
      try writeJitteredCrystals(directory)
      try FileIO.write("foreign".utf8, to: directory + "/m.safetensors.member2.checkpoint")
      let run = try diffnnp(Self.arguments + " --members 2 --resume -o m.safetensors", in: directory)
      #expect(run.exitCode == 1 && run.errors.contains("m.safetensors.member2.checkpoint"), "\(run.errors)")
      #expect(run.errors.filter { $0 == "\n" }.count == 1, "\(run.errors)")
    }
  }

  @Test func resumesFromNothing() throws {
    try withDirectory { directory in
      try writeJitteredCrystals(directory)
      let run = try diffnnp(Self.arguments + " --resume -o m.safetensors", in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(
        run.errors.hasPrefix("train: no checkpoint m.safetensors.checkpoint to continue from; training starts anew\n"))
      let pairs = try diffnnp(
        "train frames.xyz --temperature 300 --set triplets=false --resume -o pair.safetensors", in: directory)
      #expect(pairs.exitCode == 2 && pairs.errors.contains("neither is asked for"), "\(pairs.errors)")
    }
  }

  @Test(arguments: [
    ("network.patience=-1", "network.patience is -1"), ("network.sigma=[0.01,0.02,0.01]", "each once"),
    ("network.r_max=1e-5", "frames.xyz: network.r_max is 1e-05 Å, and no two atoms of the frames are closer"),
    ("network.r_max=1e9", "the cell is too small for a cutoff of 1000000000.0 Å"),
  ])
  func badNetworkSettingsAreRefused(_ setting: String, _ reason: String) throws {
    try withDirectory { directory in
      try writeJitteredCrystals(directory)
      let run = try diffnnp(Self.arguments + " --set '\(setting)' -o m.safetensors", in: directory)
      #expect(run.exitCode == 1 && run.errors.contains(reason), "\(run.errors)")
      #expect(run.errors.filter { $0 == "\n" }.count == 1)
      #expect(try shellResult("ls", in: directory).output == "frames.xyz\n")
    }
  }

  private static let smallest = """
    --set network.features=1 --set network.layers=1 --set network.l_max=0 --set network.radial_width=1 \
    --set network.num_basis=1 --set network.radial_layers=1 --set network.r_max=3.5 --set network.validation_interval=1
    """

  /// Disks of all sizes up to one that is large enough. Whichever file does not fit, it is named, and stays as it was.
  @Test(.enabled(if: canMount, "needs the right to mount a filesystem, as root or by user namespaces"))
  func keepsFilesOnFullDisks() throws {
    // A long log, a large weight file, and a large checkpoint.
    let full = try [
      "--set network.steps=300", "--set network.steps=9 --set pair.spacing=0.01",
      "--set network.steps=9 --set network.features=9",
    ].flatMap(filesThatDoNotFit)
    #expect(Set(full) == Set(Self.files))
  }

  private static let files = ["", ".fit.csv", ".network.csv", ".checkpoint"].map { "m.safetensors" + $0 }

  private func filesThatDoNotFit(_ options: String) throws -> [String] {
    var full: [String] = []
    try withDirectory { directory in
      try writeJitteredCrystals(directory)
      for pages in Self.files.count..<100 {
        let run = try train(options, in: directory, disk: 4 * pages)
        let left = try shellResult("ls left", in: directory).output.split(separator: "\n").map(String.init)
        #expect(Set(left).isSubset(of: Self.files), "\(left)")
        if run.exitCode == 0 { return }
        let error = try #require(run.errors.split(separator: "\n").last { $0.hasPrefix("diffnnp: error: ") })
        let name = Self.files.first { error == "diffnnp: error: \($0): No space left on device" }
        full.append(try #require(name, "\(run.errors)"))
        #expect(run.exitCode == 1)
        #expect(try isWhole(full.last!, in: directory + "/left/"), "\(full.last!)")
      }
      Issue.record("no disk is large enough")
    }
    return full
  }

  /// Whether a file is as it was, or, of those that are written more than once, as it was written last.
  private func isWhole(_ name: String, in folder: String) throws -> Bool {
    let bytes = try FileIO.read(folder + name)
    let text = String(decoding: bytes, as: UTF8.self)
    if text == "precious" { return true }
    if name.hasSuffix(".network.csv") { return text.hasPrefix("step,") && text.hasSuffix("\n") }
    return name.hasSuffix(".checkpoint") && (try? SafetensorsFile(bytes: bytes)) != nil
  }

  /// Trains on a disk of so many KiB, which goes with the process that mounted it; what was on it is in the folder `left`.
  private func train(_ options: String, in directory: String, disk size: Int) throws -> ProgramResult {
    try shellResult(
      """
      rm -rf left; mkdir -p disk left; unshare -rm sh -c 'mount -t tmpfs -o size=\(size)k tmpfs disk && cd disk || exit 99
      for file in \(Self.files.joined(separator: " ")); do printf precious >$file; done
      "\(programPath)" \(Self.pairArguments.replacing("frames.xyz", with: "../frames.xyz")) \(Self.smallest) \
        \(options) -o m.safetensors; code=$?; cp * ../left; exit $code'
      """, in: directory)
  }

  private static let canMount =
    (try? shellResult("unshare -rm mount -t tmpfs tmpfs /tmp", in: "/tmp"))?.exitCode == 0

  /// A disk that fills up, played by a limit on the size of files (in blocks of 512 bytes): what does not fit leaves the
  /// file as it was (the log: as far as it had come), and nothing else behind.
  @Test(arguments: [
    (1, pairArguments, "m.safetensors.fit.csv"), (8, pairArguments + "--set pair.spacing=0.008", "m.safetensors"),
    (8, arguments, "m.safetensors.checkpoint"),
    (12, pairArguments + smallest, "m.safetensors.network.csv"),
  ])
  func keepsFilesWhenDiskIsFull(_ blocks: Int, _ arguments: String, _ file: String) throws {
    try withDirectory { directory in
      try writeJitteredCrystals(directory)
      try FileIO.write("precious".utf8, to: "\(directory)/\(file)")
      let run = try shellResult(
        "ulimit -f \(blocks) && '\(programPath)' \(arguments) -o m.safetensors", in: directory)
      #expect(run.exitCode == 1 && run.errors.contains("diffnnp: error: \(file): File too large"), "\(run.errors)")
      let kept = try shellResult("cat \(file)", in: directory).output
      #expect(kept == "precious" || (file.hasSuffix("network.csv") && kept.hasPrefix("step,") && kept.hasSuffix("\n")))
      let known = ["", ".fit.csv", ".network.csv", ".checkpoint"].map { "m.safetensors" + $0 } + ["frames.xyz"]
      let left = try shellResult("ls", in: directory).output.split(separator: "\n").map(String.init)
      #expect(Set(left).isSubset(of: known), "\(left)")
    }
  }
}
