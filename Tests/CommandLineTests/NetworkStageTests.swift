import DiffNNP
import DiffNNPTraining
import Testing

/// `diffnnp train` with a network, as a user runs, interrupts and resumes it.
@Suite struct NetworkStageTests {
  private static let arguments = """
    train frames.xyz --temperature 300 --set pair.r_max=3.5 --set pair.spacing=0.25 --set pair.likelihood=false \
    --set network.features=2 --set network.layers=2 --set network.l_max=1 --set network.radial_width=3 --set network.r_max=3.5 \
    --set network.steps=45 --set network.validation_interval=3
    """

  /// Jittered crystals of eight atoms.
  private func writeFrames(_ directory: String) throws {
    var text = ""
    for k in 0..<10 {
      var random = Philox(seed: 1, purpose: .noise, frame: k)
      text += "8\nLattice=\"6 0 0 0 6 0 0 0 6\" Properties=species:S:1:pos:R:3 pbc=\"T T T\"\n"
      for site in 0..<8 {
        let x = 0.3 * random.normal3() + SIMD3(Double(site & 1), Double((site >> 1) & 1), Double(site >> 2)) * 3
        text += "Ar \(x.x) \(x.y) \(x.z)\n"
      }
    }
    try FileIO.write(Array(text.utf8), to: directory + "/frames.xyz")
  }

  @Test func trainsAndLogs() throws {
    try withDirectory { directory in
      try writeFrames(directory)
      let run = try diffnnp(Self.arguments + " -o m.safetensors", in: directory)
      #expect(run.exitCode == 0 && run.output.isEmpty, "\(run.errors)")
      let potential = try Potential.load(path: directory + "/m.safetensors")
      #expect(potential.network != nil && potential.pair != nil && potential.metadata.sigma == 0.01)
      let log = String(decoding: try FileIO.read(directory + "/m.safetensors.log.csv"), as: UTF8.self)
      let rows = log.split(separator: "\n")
      #expect(rows.first == "step,loss,held_out,learning_rate" && rows.count == 16)
      #expect(throws: DiffNNPError.self) { try FileIO.read(directory + "/m.safetensors.checkpoint") }
    }
  }

  /// Interrupted at some step, and continued: the same weights, the same curve.
  @Test func interruptedTrainingContinues() throws {
    try withDirectory { directory in
      try writeFrames(directory)
      let whole = try diffnnp(Self.arguments + " -o whole.safetensors", in: directory)
      #expect(whole.exitCode == 0, "\(whole.errors)")
      let interrupted = try shellResult(
        """
        '\(programPath)' \(Self.arguments) -o part.safetensors & pid=$!
        while kill -0 $pid && [ ! -e part.safetensors.checkpoint ]; do sleep 0.05; done 2>/dev/null
        kill -INT $pid; wait $pid
        """, in: directory)
      #expect(interrupted.exitCode == 130, "\(interrupted.errors)")
      #expect(interrupted.errors.contains("--resume continues"))
      let resumed = try diffnnp(Self.arguments + " --resume -o part.safetensors", in: directory)
      #expect(resumed.exitCode == 0 && resumed.errors.contains("continuing from step"), "\(resumed.errors)")
      let same = try shellResult(
        "cmp whole.safetensors.log.csv part.safetensors.log.csv && cmp whole.safetensors part.safetensors",
        in: directory)
      #expect(same.exitCode == 0, "\(same.output)")
    }
  }

  /// A checkpoint of other frames or settings, or a truncated one (no options), is refused and stays as it is.
  @Test(arguments: [
    ("--set seed=2", "other settings or frames"), ("--frames 0:8", "other settings or frames"), ("", "truncated"),
  ])
  func foreignCheckpointsAreRefused(_ options: String, _ reason: String) throws {
    try withDirectory { directory in
      try writeFrames(directory)
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
      let run = try diffnnp(
        Self.arguments + " --set network.steps=100000 --set network.patience=0 --resume -o m.safetensors " + options,
        in: directory)
      #expect(run.exitCode == 1 && run.errors.contains("m.safetensors.checkpoint"), "\(run.errors)")
      #expect(run.errors.contains(reason), "\(run.errors)")
      #expect(try FileIO.read(path) == checkpoint)
    }
  }

  @Test func badNetworkSettingsAreRefused() throws {
    try withDirectory { directory in
      try writeFrames(directory)
      let run = try diffnnp(Self.arguments + " --set network.patience=-1 -o m.safetensors", in: directory)
      #expect(run.exitCode == 1 && run.errors.contains("network.patience is -1"), "\(run.errors)")
    }
  }
}
