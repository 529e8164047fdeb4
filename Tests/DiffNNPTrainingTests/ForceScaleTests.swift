import DiffNNP
import DiffNNPFrames
import Testing

@testable import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

/// Forces that are not those of the configurations are noticed, whatever is wrong with them.
@Suite struct ForceScaleTests {
  /// A fluid whose forces are known, as two types that differ in name alone.
  private static let fluid: Trajectory = {
    let fluid = try! Samples.fluid(
      60, atoms: 60, edge: 14, rMax: 6, seed: 3, { pow(3 / $0, 9) }, slope: { -9 * pow(3 / $0, 9) / $0 })
    var trajectory = Trajectory(typeNames: ["A", "B"], frames: fluid.frames)
    for k in trajectory.frames.indices { for i in 0..<30 { trajectory.frames[k].types[i] = 1 } }
    return trajectory
  }()

  /// The lines that a fit prints with these forces.
  private static func fit(
    _ trajectory: Trajectory = fluid, temperature: Double = 300, _ change: (SIMD3<Double>, Int, Int) -> SIMD3<Double>
  ) throws -> [String] {
    var changed = trajectory
    for k in changed.frames.indices {
      let frame = trajectory.frames[k]
      changed.frames[k].forces = frame.positions.indices.map { change(frame.forces![$0], frame.types[$0], k) }
    }
    var settings = Samples.settings(rMax: 5, spacing: 0.25)
    settings.objective = .mixed
    var fit = try LinearFit(settings, temperature: temperature)
    let lines = Lines()
    fit.progress = { lines.text.append($0) }
    _ = try fit.run(changed)
    return lines.text
  }

  private final class Lines: @unchecked Sendable { var text: [String] = [] }

  @Test func thoseThatAreRightAreSaidToBe() throws {
    var random = Philox(seed: 8, purpose: .network, frame: 0)
    let line = try #require(
      Self.fit { force, _, _ in force + 0.02 * random.normal3() }.first { $0.contains("forces over") })
    #expect(line.contains("A 1") || line.contains("A 0.9"), "\(line)")
  }

  /// In other units, as gradients, on one type alone, at another temperature, or by chance.
  @Test(arguments: [
    (23.06, 23.06, 300.0, "kcal/mol/Å"), (964.85, 964.85, 300, "kJ/mol/nm"), (0.019447, 0.019447, 300, "Hartree/Bohr"),
    (-1, -1, 300, "gradients"), (1, 23.06, 300, "forces on B"), (1, 1, 600, "300 K"), (0, 0, 300, "all forces are 0"),
    (1, 0, 300, "forces on B"),
  ]) func thoseThatAreWrongAreRefused(_ a: Double, _ b: Double, _ temperature: Double, _ word: String) throws {
    let error = try #require(throws: DiffNNPError.self) {
      try Self.fit(temperature: temperature) { force, type, _ in (type == 0 ? a : b) * force }
    }
    // The temperature is known to a few per cent, so that its name is not looked for to the last digit.
    if temperature == 300 { #expect("\(error)".contains(word), "\(error)") }
    #expect("\(error)".contains("train with objective: denoising"), "\(error)")
  }

  @Test func thoseThatAreWrongInOneHalfAreRefused() throws {
    let error = try #require(throws: DiffNNPError.self) {
      try Self.fit { force, _, frame in (frame < 30 ? 1 : 23.06) * force }
    }
    #expect("\(error)".contains("half"), "\(error)")
  }

  /// A run of a few steps has frames that hardly differ, and its forces are as good as others.
  @Test func framesThatAreAlikeAreNoReasonToRefuse() throws {
    var random = Philox(seed: 11, purpose: .network, frame: 0)
    for first in [0, 20, 40] {
      let frames = (0..<40).map { k -> Frame in
        var frame = Self.fluid.frames[first + k / 10]
        for i in frame.positions.indices { frame.positions[i] += 0.01 * random.normal3() }
        return frame
      }
      _ = try Self.fit(Trajectory(typeNames: ["A", "B"], frames: Frames(frames))) { force, _, _ in force }
    }
  }

  /// Three frames are enough to see a factor of 23.
  @Test func factorsAreSeenInFewFrames() throws {
    let few = Trajectory(typeNames: ["A", "B"], frames: Self.fluid.frames.at([0, 25, 50]))
    let error = try #require(throws: DiffNNPError.self) { try Self.fit(few) { force, _, _ in 23.06 * force } }
    #expect("\(error)".contains("kcal/mol/Å"), "\(error)")
  }

  @Test func theErrorIsThatOfARatio() {
    // Numerators about twice the denominators, with a spread of 0.1 in each of 400 groups.
    var random = Philox(seed: 9, purpose: .network, frame: 0)
    let scale = ForceScale(groups: (0..<400).map { _ in (numerator: 2 + 0.1 * random.normal(), denominator: 1) })
    #expect(abs(scale.error - 0.005) < 0.001)
    #expect(abs(scale.slope - 2) < 5 * scale.error)
    #expect(scale.isKnown && scale.isWrong)
    #expect(ForceScale(groups: [(1, 1), (1, 1)]).isKnown == false)
  }

  /// Where there is a model, its forces tell; noise on either side does not matter, nor does a model that is off by a half.
  @Test func unitsAreSeenBesideAModel() throws {
    var random = Philox(seed: 10, purpose: .network, frame: 0)
    func complaint(_ factor: Double, noise: Double = 0.3, frames: Int = 3) -> String? {
      var error = ForceError()
      for _ in 0..<frames {
        let computed = (0..<48).map { _ in 0.2 * random.normal3() }
        error.add(computed, given: computed.map { factor * ($0 + noise * random.normal3()) })
      }
      do { try error.requireUnits() } catch { return "\(error)" }
      return nil
    }
    #expect(complaint(1) == nil && complaint(0.5) == nil && complaint(1.9) == nil)
    #expect(complaint(1, noise: 5) == nil)
    #expect(complaint(23.06, noise: 0.05)?.contains("kcal/mol/Å (1 eV/Å is 23.06)") == true)
    #expect(complaint(0.01945, noise: 0.05)?.contains("Hartree/Bohr") == true)
    #expect(complaint(-1, noise: 0.05)?.contains("gradients") == true)
    #expect(complaint(96.49, noise: 0.01, frames: 1)?.contains("kJ/mol/Å") == true)
    #expect(complaint(0)?.contains("all forces of the frames are 0") == true)
  }

  @Test func unitsAreFoundByTheirFactors() throws {
    let found = ForceUnit.candidates(for: 22.4, within: 0.05)
    #expect(found.map(\.text) == ["kcal/mol/Å (1 eV/Å is 23.06)"])
    #expect(ForceUnit.candidates(for: -0.0195, within: 0.05).map(\.text) == ["Hartree/Bohr (1 eV/Å is 0.01945)"])
    #expect(ForceUnit.candidates(for: 980, within: 0.1).map(\.name) == ["kJ/mol/nm", "meV/Å"])
    #expect(ForceUnit.candidates(for: 3, within: 0.05).isEmpty)
    #expect(ForceUnit.candidates(for: .nan, within: 0.05).isEmpty)
  }
}
