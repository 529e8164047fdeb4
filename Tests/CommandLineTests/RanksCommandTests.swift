import DiffNNP
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// What launchers leave in the environment, where there is no MPI.
@Suite struct LauncherTests {
  /// Verbs that share no work need no MPI; the first process speaks for all.
  @Test(arguments: ["--version", "--help", "train --help", "rdf --help"])
  func helpNeedsNoMPI(_ arguments: String) throws {
    try withDirectory { directory in
      let alone = try diffnnp(arguments, in: directory)
      for (rank, output) in [(0, alone.output), (1, "")] {
        let run = try shellResult(
          "LD_DEBUG=libs PMI_SIZE=2 PMI_RANK=\(rank) '\(programPath)' \(arguments)", in: directory)
        #expect(run.exitCode == 0 && run.output == output && !run.errors.contains("libmpi"), "\(run.errors)")
      }
    }
  }

  @Test(arguments: [
    // Several processes that nobody has told of each other.
    ("SLURM_STEP_NUM_TASKS=8 SLURM_NTASKS=8 SLURM_PROCID=0", true), ("SLURM_NTASKS=8 SLURM_PROCID=3", true),
    ("PMIX_RANK=0", true), ("PALS_RANKID=1", true), ("FLUX_JOB_SIZE=2 FLUX_TASK_RANK=0", true),
    // A batch script of Slurm, for several processes that it may start with mpirun, and what runs in it alone.
    ("SLURM_NTASKS=8 SLURM_PROCID=0 SLURM_JOB_ID=1", false), ("SLURM_NTASKS=8 SLURM_JOB_ID=1", false),
    ("SLURM_STEP_NUM_TASKS=1 SLURM_NTASKS=1 SLURM_PROCID=0 PMIX_RANK=0", false),
    ("SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=1 OMPI_COMM_WORLD_SIZE=1 OMPI_COMM_WORLD_RANK=0", false),
    ("", false),
  ])
  func strangersAreNamed(_ environment: String, _ isRefused: Bool) throws {
    try withDirectory { directory in
      for (verb, reason) in [("train none.xyz --temperature 300 -o m", "none.xyz"), ("rdf none.xyz", "none.xyz")] {
        let run = try shellResult("env \(environment) '\(programPath)' \(verb)", in: directory)
        let expected = isRefused ? "as one of several processes" : reason
        #expect(run.exitCode == (isRefused ? 2 : 1) && run.errors.contains(expected), "\(run.errors)")
        // In a batch script, train says that it is alone; nothing else does.
        let isTold = !isRefused && verb.hasPrefix("train") && environment.contains("SLURM_NTASKS=8")
        #expect(run.errors.contains("note: SLURM_NTASKS is 8") == isTold, "\(run.errors)")
        #expect(run.errors.split(separator: "\n").count == (isTold ? 2 : 1))
      }
    }
  }
}

/// `mpirun … diffnnp`, as a user starts it. Where there is no mpirun, this says so.
@Suite(.enabled(if: system("command -v mpirun >/dev/null") == 0, "mpirun is missing"))
struct RanksCommandTests {
  private static func command(_ count: Int) -> String {
    "mpirun --allow-run-as-root --oversubscribe -np \(count)"
  }

  private static let pairs =
    "train frames.xyz --temperature 300 --threads 1 --set pair.r_max=3.5 --set pair.spacing=0.25 "
  private static let network =
    pairs + """
      --set triplets=false --set refinement.steps=0 --set network.features=2 --set network.layers=2 --set network.l_max=1 \
      --set network.radial_width=3 --set network.r_max=3.5 --set network.batch_size=2 --set network.validation_interval=3 
      """

  private func mpirun(_ count: Int, _ arguments: String, in directory: String) throws -> ProgramResult {
    try shellResult("\(Self.command(count)) '\(programPath)' \(arguments)", in: directory)
  }

  /// The lines that are the program's, not the launcher's.
  private func lines(_ run: ProgramResult) -> [Substring] {
    run.errors.split(separator: "\n").filter { $0.hasPrefix("diffnnp:") || $0.hasPrefix("train:") }
  }

  @Test(arguments: [2, 3])
  func weightsAreThoseOfOneProcess(_ count: Int) throws {
    try withDirectory { directory in
      try writeJitteredCrystals(directory)
      let alone = try diffnnp(Self.pairs + "--set triplets.intervals=4 -o one.safetensors", in: directory)
      #expect(alone.exitCode == 0, "\(alone.errors)")
      let run = try mpirun(count, Self.pairs + "--set triplets.intervals=4 -o many.safetensors", in: directory)
      #expect(run.exitCode == 0 && run.errors.contains("wrote many.safetensors"), "\(run.errors)")
      #expect(lines(run).count == lines(alone).count, "\(run.errors)")
      let same = try shellResult(
        "cmp one.safetensors many.safetensors && cmp one.safetensors.fit.csv many.safetensors.fit.csv", in: directory)
      #expect(same.exitCode == 0, "\(same.output)")
    }
  }

  private func parameters(_ name: String, in directory: String) throws -> [Double] {
    try #require(Potential.load(path: directory + "/\(name)").term(Network.self)).parameters
  }

  @Test func networksAreThoseOfOneProcessToRounding() throws {
    try withDirectory { directory in
      try writeJitteredCrystals(directory)
      for count in [1, 2, 3] {
        let run = try mpirun(count, Self.network + "--set network.steps=20 -o \(count)", in: directory)
        #expect(run.exitCode == 0, "\(run.errors)")
      }
      let alone = try parameters("1", in: directory)
      for count in [2, 3] {
        let parameters = try parameters("\(count)", in: directory)
        #expect(zip(parameters, alone).allSatisfy { abs($0 - $1) < 1e-3 })
      }
    }
  }

  /// Interrupted by a signal that only one rank gets, and continued: the same as without interruption.
  @Test func networksContinue() throws {
    try withDirectory { directory in
      try writeJitteredCrystals(directory)
      let arguments = Self.network + "--set network.patience=0 --set network.steps=1500 "
      let interrupted = try shellResult(
        """
        \(Self.command(2)) '\(programPath)' \(arguments) -o part & pid=$!
        while kill -0 $pid && [ ! -e part.checkpoint ]; do sleep 0.02; done 2>/dev/null
        set -- $(cat /proc/$pid/task/*/children); kill -INT $1; wait $pid
        """, in: directory)
      #expect(interrupted.exitCode != 0, "\(interrupted.errors)")
      #expect(access(directory + "/part.checkpoint", F_OK) == 0)
      let resumed = try mpirun(2, arguments + "--resume -o part", in: directory)
      #expect(resumed.exitCode == 0 && resumed.errors.contains("continuing from step"), "\(resumed.errors)")
      let whole = try mpirun(2, arguments + "-o whole", in: directory)
      #expect(whole.exitCode == 0, "\(whole.errors)")
      let same = try shellResult("cmp part whole && cmp part.network.csv whole.network.csv", in: directory)
      #expect(same.exitCode == 0, "\(same.output)")
    }
  }

  @Test(arguments: [
    ("train none.xyz --temperature 300 -o m", 1, "none.xyz: No such file"),
    ("train frames.xyz --temperature 300 -o none/m", 1, "none/m: No such file"),
    ("trian", 2, "did you mean train?"), ("validate m frames.xyz", 2, "validate runs in one process"),
  ])
  func refusesInOneLine(_ arguments: String, _ code: Int32, _ reason: String) throws {
    try withDirectory { directory in
      try writeJitteredCrystals(directory)
      let run = try mpirun(2, arguments, in: directory)
      #expect(run.exitCode == code && run.errors.contains(reason), "\(run.errors)")
      #expect(lines(run).count == 1)
    }
  }

  /// What only one rank meets ends all.
  @Test(arguments: [0, 1])
  func aRankThatFailsEndsAll(_ failing: Int) throws {
    try withDirectory { directory in
      try writeJitteredCrystals(directory)
      let run = try shellResult(
        """
        mv frames.xyz frames\(1 - failing).xyz
        \(Self.command(2)) sh -c "exec '\(programPath)' train frames\\$OMPI_COMM_WORLD_RANK.xyz --temperature 300 -o m"
        """, in: directory)
      #expect(run.exitCode == 1 && run.errors.contains("frames\(failing).xyz: No such file"), "\(run.errors)")
      #expect(lines(run).filter { $0.hasPrefix("diffnnp:") }.count == 1, "\(run.errors)")
      #expect(access(directory + "/m", F_OK) != 0)
    }
  }

  /// Without a launcher, no MPI is loaded.
  @Test func aloneItNeedsNoMPI() throws {
    try withDirectory { directory in
      let run = try shellResult("LD_DEBUG=libs '\(programPath)' --version", in: directory)
      #expect(run.exitCode == 0 && !run.errors.contains("libmpi"), "\(run.errors)")
    }
  }
}
