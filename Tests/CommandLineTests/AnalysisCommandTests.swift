import DiffNNP
import DiffNNPFrames
import Testing

/// `rdf` and `validate`, run as a user runs them.
@Suite struct AnalysisCommandTests {
  /// Two frames of six atoms.
  private let frames = (0..<2).map { k in
    """
    6
    Lattice="12 0 0 0 12 0 0 0 12" Properties=species:S:1:pos:R:3 pbc="T T T"
    Li 0 0 \(k)
    Li 3 0 0
    Li 0 5 1
    Cl 2 2 2
    Cl 6 6 6
    Cl 9 1 6

    """
  }.joined()

  private func withFrames(_ body: (String) throws -> Void) throws {
    try withDirectory { directory in
      try FileIO.write(frames.utf8, to: "\(directory)/a.xyz")
      try body(directory)
    }
  }

  @Test func rdfPrintsATable() throws {
    try withFrames { directory in
      let result = try diffnnp("rdf a.xyz --rmax 6", in: directory)
      #expect(result.exitCode == 0)
      #expect(result.output.contains("2 frames"))
      for pair in ["Li–Li", "Li–Cl", "Cl–Cl"] { #expect(result.output.contains(pair)) }
    }
  }

  /// Frames without Cl between those that have it leave Li–Cl as it is, and are told of.
  @Test func rdfIsOfFramesThatHaveThePair() throws {
    try withFrames { directory in
      let lithium = """
        3
        Lattice="12 0 0 0 12 0 0 0 12" Properties=species:S:1:pos:R:3 pbc="T T T"
        Li 1 0 0
        Li 4 0 0
        Li 0 7 1

        """
      try FileIO.write((frames + lithium).utf8, to: "\(directory)/some.xyz")
      let curves = try ["a.xyz", "some.xyz"].map { file in
        try #require(
          try JSONValue(parsing: diffnnp("rdf \(file) --rmax 6 --json", in: directory).output)["curves"]?.array?[0])
      }
      for pair in ["LiCl", "ClCl"] { #expect(curves[0]["g"]?[pair] == curves[1]["g"]?[pair]) }
      #expect(
        curves[1]["n_frames_with_pairs"]?["LiLi"]?.int == 3 && curves[1]["n_frames_with_pairs"]?["LiCl"]?.int == 2)
      let text = try diffnnp("rdf some.xyz --rmax 6", in: directory)
      #expect(text.output.contains("Li–Cl: from the 2 of 3 frames with such pairs"), "\(text.output)")
    }
  }

  @Test func rdfWritesATableItReads() throws {
    try withFrames { directory in
      #expect(try diffnnp("rdf a.xyz --rmax 6 -o a.csv", in: directory).exitCode == 0)
      let result = try diffnnp("rdf a.xyz a.csv --rmax 6 --reference a.csv --angles 4 --json", in: directory)
      #expect(result.exitCode == 0, "\(result.errors)")
      let curves = try #require(try JSONValue(parsing: result.output)["curves"]?.array)
      #expect(curves.count == 2)
      for curve in curves {
        let error: Double = try #require(curve["rdf_mae"]?["LiCl"]?.double)
        #expect(error < 1e-4)
      }
      #expect(curves[0]["n_frames"]?.int == 2)
      #expect(curves[0]["angle_probabilities"]?["Cl-Li-Cl"]?.doubles?.count == 36)
      // The smallest of |(2, 2, 2)|, |(2, 2, 1)| and |(1, -2, -2)|.
      #expect(curves[0]["min_distance"]?["LiCl"]?.double == 3)
    }
  }

  @Test(arguments: [
    ("rdf missing.xyz", 1, "missing.xyz"),
    ("rdf a.csv", 2, "name its species with --select"),
    ("rdf a.xyz --dr 0", 1, "positive bin width"),
    ("rdf a.xyz --dr 1e-9", 1, "at most 100000 bins"),
    ("rdf .", 1, "Is a directory"),
    ("rdf a.xyz -o none/g.csv", 1, "No such file"),
    ("rdf a.xyz -o a.xyz", 1, "would replace the input a.xyz"),
    ("rdf a.xyz --plot none/g.svg", 1, "No such file"),
    ("rdf a.xyz --plot /dev/full", 1, "/dev/full: a device or a pipe"),
    ("rdf a.xyz --angles -1", 1, "a.xyz: angles between neighbours closer than -1.0 Å"),
    ("rdf a.xyz --frames 1: --rmax 1e6 --dr 1e3", 1, "a.xyz: frame 1: the cell is too small"),
    ("rdf a.xyz --plot a.pdf", 1, "ends in .svg or .png"),
    ("rdf a.xyz --label a --label b", 2, "give one for each"), ("rdf a.xyz -o ''", 2, "output is empty"),
    ("rdf a.xyz a.xyz -o a.csv", 2, "--output takes one FRAMES"),
    ("rdf a.xyz --faint b --label a", 2, "no name of a curve"),
    ("rdf a.xyz --angle-reference a.csv", 2, "needs --angles"),
    ("rdf a.xyz -o g.svg --plot g.svg", 2, "g.svg is the name of two outputs"),
    ("rdf a.xyz --dr 20", 1, "positive bin width below the largest r"),
    ("rdf a.xyz --reference-label b", 2, "needs --reference"),
    ("rdf a.xyz a.xyz --label b --label b", 2, "--label b is given twice"),
    ("rdf a.xyz --types Li,Li", 2, "type names must be given once each"),
    ("rdf missing.xyz -o none/g.csv", 1, "missing.xyz: No such file"),
    ("rdf a.xyz --reference missing.csv --plot none/g.svg", 1, "missing.csv: No such file"),
    ("evaluate missing.safetensors a.xyz -o none/b.xyz", 1, "missing.safetensors: No such file"),
    ("learning-curve missing.xyz --temperature 300 --plot none/g.svg", 1, "missing.xyz: No such file"),
    ("validate missing.safetensors a.xyz", 1, "missing.safetensors"),
    ("validate a.xyz a.xyz", 1, "a.xyz"),
  ])
  func oneLineForBadInput(_ arguments: String, _ code: Int, _ message: String) throws {
    try withFrames { directory in
      let result = try diffnnp(arguments, in: directory)
      #expect(result.exitCode == Int32(code))
      #expect(result.errors.contains(message), "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1)
    }
  }

  /// Archives with a hole in them: of an array that would not fit into any memory, of one that claims to be larger than any file,
  /// and of a directory that would not fit.
  @Test(
    arguments: [
      (nil, nil, "a.npz: 786432 MiB do not fit into memory"), (UInt64.max, nil, "damaged or truncated NPZ archive"),
      (nil, 1 << 39, "a.npz: 524288 MiB do not fit into memory"),
    ] as [(UInt64?, UInt64?, String)])
  func hugeArraysAreRefused(_ claimedSize: UInt64?, _ claimedDirectory: UInt64?, _ message: String) throws {
    try withDirectory { directory in
      func bytes<T: FixedWidthInteger>(_ numbers: T...) -> [UInt8] {
        numbers.flatMap { number in withUnsafeBytes(of: number.littleEndian) { Array($0) } }
      }
      // One frame that fills the hole.
      let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, \(1 << 35), 3)}\n"
      let start = [0x93] + Array("NUMPY".utf8) + [1, 0] + bytes(UInt16(header.utf8.count)) + Array(header.utf8)
      let size = claimedSize ?? UInt64(start.count) + 24 << 35
      var entry = bytes(UInt32(0x0201_4b50), 0, 0, 0, 0, .max, .max) + bytes(UInt16(5), 20, 0, 0, 0, 0, 0, 0, 0)
      entry += Array("R.npy".utf8) + bytes(UInt16(1), 16) + bytes(size, size)
      let directoryStart: UInt64 = 25 << 35
      let record = bytes(UInt32(0x0606_4b50)) + [UInt8](repeating: 0, count: 28)
      var end = entry + record
      end +=
        claimedDirectory.map { bytes(1, $0, directoryStart - $0) } ?? bytes(1, UInt64(entry.count), directoryStart)
      end += bytes(UInt32(0x0706_4b50), 0) + bytes(directoryStart + UInt64(entry.count)) + bytes(UInt32(1))
      end += bytes(UInt32(0x0605_4b50)) + [UInt8](repeating: 0, count: 18)
      // A newline, because what a file is shows in its first line.
      try FileIO.write(
        bytes(UInt32(0x0403_4b50)) + [10] + [UInt8](repeating: 0, count: 25) + start, to: "\(directory)/a.npz")
      try FileIO.write(end, to: "\(directory)/end")
      // With less memory than that, whatever the machine promises.
      let run = try shellResult(
        "truncate -s \(directoryStart) a.npz && cat end >>a.npz && ulimit -v 16000000 && '\(programPath)' rdf a.npz",
        in: directory)
      #expect(run.exitCode == 1 && run.errors.contains(message), "\(run.errors)")
    }
  }

  /// A disk that fills up, played by a limit on the size of files, leaves the old file as it was.
  @Test(arguments: [
    ("rdf a.xyz -o out", "out", "out: File too large"),
    ("rdf a.xyz --plot out.svg", "out.svg", "cannot write a temporary file: File too large"),
    (
      "validate m.safetensors many.xyz --temperature 300 --launcher /bin/true -o .", "run-1/start.data",
      "run-1/start.data: File too large"
    ),
  ])
  func keepsFilesWhenDiskIsFull(_ arguments: String, _ file: String, _ reason: String) throws {
    try withFrames { directory in
      try writeModel(directory)
      let atoms = (0..<64).map { "Li \(3 * ($0 % 4)) \(3 * ($0 / 4 % 4)) \(3 * ($0 / 16))\n" } + ["Cl 1.5 1.5 1.5\n"]
      let header = "65\nLattice=\"12 0 0 0 12 0 0 0 12\" Properties=species:S:1:pos:R:3\n"
      try FileIO.write((header + atoms.joined()).utf8, to: directory + "/many.xyz")
      try #require(shellResult("mkdir run-1", in: directory).exitCode == 0)
      try FileIO.write("precious".utf8, to: "\(directory)/\(file)")
      let run = try shellResult("ulimit -f 1 && '\(programPath)' \(arguments) 2>&1", in: directory)
      #expect(run.exitCode == 1 && run.output.contains(reason), "\(run.output)")
      #expect(try shellResult("cat \(file); ls \(file).*", in: directory).output == "precious")
    }
  }

  /// A LAMMPS that does nothing is not judged by what an earlier run left.
  @Test func validateForgetsEarlierRuns() throws {
    try withFrames { directory in
      try writeModel(directory)
      try #require(shellResult("mkdir -p validation/run-1", in: directory).exitCode == 0)
      let log = "Step Temp PotEng Press\n0 300 0 0\n250 300 0 0\n500 300 0 0\nLoop time of 1\n"
      try FileIO.write(log.utf8, to: directory + "/validation/run-1/log.lammps")
      let run = try diffnnp(
        "validate m.safetensors a.xyz --temperature 300 --launcher /bin/true --ps 2 --mass Li=7", in: directory)
      #expect(run.exitCode == 1 && run.errors.contains("LAMMPS did not start (status 0)"), "\(run.errors)")
    }
  }

  /// A LAMMPS that jitters what it is given, and a training with the defaults: its report tells how that went, but nothing of a
  /// refinement that an earlier training left.
  @Test func reportTellsOfTheTraining() throws {
    try withDirectory { directory in
      try writeJitteredCrystals(directory)
      let lammps = """
        #!/bin/sh
        printf 'Step Temp PotEng Press\n0 300 0 0\n250 300 0 0\n500 300 0 0\nLoop time of 1\n' >log.lammps
        for step in 0 250 500; do
          printf 'ITEM: TIMESTEP\n%d\nITEM: NUMBER OF ATOMS\n8\nITEM: BOX BOUNDS pp pp pp\n0 6\n0 6\n0 6\n' $step
          echo 'ITEM: ATOMS id type element x y z'
          for site in 0 1 2 3 4 5 6 7; do
            echo $((site + 1)) 1 Ar $((site % 2 * 3)).$((step / 50 + 1)) $((site / 2 % 2 * 3)).1 $((site / 4 * 3)).2
          done
        done >trajectory.lammpstrj

        """
      try FileIO.write(lammps.utf8, to: directory + "/lmp")
      try #require(shellResult("chmod +x lmp", in: directory).exitCode == 0)
      func report(_ options: String) throws -> String {
        let training = try diffnnp(
          """
          train frames.xyz --temperature 300 --threads 1 --set pair.r_max=3.5 --set pair.spacing=0.25 \
            --set triplets.intervals=4 -o m.safetensors \(options)
          """, in: directory)
        try #require(training.exitCode == 0, "\(training.errors)")
        let run = try diffnnp(
          "validate m.safetensors frames.xyz --launcher ./lmp --ps 2 --timestep 4 --discard 0 --rmax 3", in: directory)
        try #require(run.exitCode == 0, "\(run.errors)")
        return String(decoding: try FileIO.read(directory + "/validation/report.html"), as: UTF8.self)
      }
      let whole = try report("--set refinement.steps=10")
      for part in [
        "<h2>Training</h2>", "<td>pairs and triplets by pseudo-likelihood</td>", "<td>chosen</td>", "refinement by",
      ] {
        #expect(whole.contains(part), "\(part)")
      }
      let unrefined = try report("--set refinement.steps=0")
      #expect(
        unrefined.contains("<td>pairs and triplets by pseudo-likelihood</td>") && !unrefined.contains("refinement by"))
    }
  }

  private func writeModel(_ directory: String) throws {
    let pair = try PairTerm(typeCount: 2, rMax: 5, intervals: 10, free: Array(repeating: 0, count: 30))
    try Potential(typeNames: ["Li", "Cl"], energyScale: 0.02585, terms: [pair])
      .save(path: "\(directory)/m.safetensors")
  }

  /// What cannot be run is refused before any file is written.
  @Test(arguments: [
    ("", "give --temperature"),
    ("--temperature 300 --launcher ./none", "none: No such file"),
    ("--temperature 300 --launcher /bin/true --mass Na=23", "one of the types Li Cl"),
    ("--temperature 300 --launcher /bin/true --ps 1 --steps 5", "given twice"),
    ("--temperature 300 --launcher /bin/true -o ''", "output is empty"),
    ("--temperature 300 --launcher /bin/true --record x", "expected a name and a number"),
    ("--temperature 300 --launcher /bin/true --angles -1", "closer than -1.0 Å"),
    ("--temperature 300 --launcher /bin/true --record runs=1", "the report says itself what runs is"),
    ("--temperature 300 --launcher /bin/true --record x=1 --record x=2", "names x twice"),
    ("--temperature 300 --launcher /bin/true --mass Li=7 --mass Li=6", "names Li twice"),
    ("--temperature 300 --launcher /bin/true -o a.xyz", "a.xyz: a file; expected the name of a directory"),
    ("--temperature 300 --launcher /bin/true -o a.xyz/v", "cannot make the directory a.xyz/v/run-1: a.xyz is a file"),
    ("--temperature 1e-300 --launcher /bin/true", "temperature is 1e-300 K"),
    ("--temperature 300 --launcher /bin/true --ps 1e300", "too many steps"),
    ("--temperature 300 --launcher /bin/true --timestep 1e-300", "too many steps"),
    ("--temperature 300 --launcher /bin/true --interval 1e300", "give a shorter interval"),
    ("--temperature 300 --launcher /bin/true --runs 9999999999", "9999999999 runs asked for"),
    ("--temperature 300 --launcher /bin/true --seed 0", "the seed is 0"),
  ])
  func validateChecksFirst(_ options: String, _ message: String) throws {
    try withFrames { directory in
      try writeModel(directory)
      let result = try diffnnp("validate m.safetensors a.xyz \(options)", in: directory)
      #expect(result.exitCode == 1 || result.exitCode == 2)
      #expect(result.errors.contains(message), "\(result.errors)")
      #expect(try shellResult("ls -d validation", in: directory).exitCode != 0)
    }
  }
}
