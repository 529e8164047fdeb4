import DiffNNP
import DiffNNPCommandLine
import DiffNNPTraining
import Testing

@Suite struct ConfigurationTests {
  static let text = """
    # A configuration.
    temperature: 300
    frames: [a.xyz, 'b c.xyz']
    noise:
      sigma: [0.05, 1e-1, 2]
      antithetic: yes
      mode: "ladder"
      copies: 3
    select: Li
    empty:
    """

  static func root(_ text: String = text) throws -> ConfigurationSection {
    try ConfigurationSection(YAMLNode(parsing: Array(text.utf8), name: "c.yaml"))
  }

  enum Mode: String, CaseIterable { case fixed, ladder }

  static func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test func readsValues() throws {
    let root = try Self.root()
    #expect(try root.double("temperature") == 300)
    #expect(try root.int("temperature") == 300)
    #expect(try root.texts("frames") == ["a.xyz", "b c.xyz"])
    #expect(try root.texts("select") == ["Li"])
    #expect(try root.double("empty") == nil)
    #expect(try root.double("absent") == nil)
    let noise = try root.section("noise")
    #expect(try noise.doubles("sigma") == [0.05, 0.1, 2])
    #expect(try noise.bool("antithetic") == true)
    #expect(try noise.choice("mode", Mode.self) == .ladder)
    #expect(try noise.int("copies") == 3)
    try noise.finish()
    try root.finish()
    try root.section("nothing").finish()
  }

  @Test func errorsNameLineAndKey() throws {
    let root = try Self.root()
    let noise = try root.section("noise")
    #expect(
      Self.message { _ = try root.int("frames") } == "c.yaml:3: frames is a list or mapping; expected a whole number")
    #expect(Self.message { _ = try noise.int("mode") } == "c.yaml:7: noise.mode is \"ladder\"; expected a whole number")
    #expect(Self.message { _ = try noise.bool("copies") }.hasPrefix("c.yaml:8: noise.copies"))
    #expect(Self.message { _ = try root.doubles("frames") }.hasPrefix("c.yaml:3: frames has an element \"a.xyz\""))
    #expect(Self.message { _ = try root.doubles("noise") }.contains("expected a list of numbers"))
    #expect(Self.message { _ = try root.section("temperature") }.hasPrefix("c.yaml:2: temperature must be a mapping"))
    enum Other: String, CaseIterable { case leader, fixed }
    #expect(Self.message { _ = try noise.choice("mode", Other.self) }.contains("(did you mean leader?)"))
  }

  @Test func refusesUnknownKeys() throws {
    let noise = try Self.root("noise:\n  sigmma: 1\n").section("noise")
    _ = try noise.double("sigma")
    #expect(Self.message(noise.finish) == "c.yaml:2: unknown key noise.sigmma (did you mean sigma?)")
    let root = try Self.root("quite_different: 1\n")
    _ = try root.double("sigma")
    #expect(Self.message(root.finish) == "c.yaml:1: unknown key quite_different; known keys here: sigma")
  }

  @Test(arguments: [
    ("a: [1", ":2: not valid YAML"), ("a: 1\nb: 2\na: 3\n", ":3: key a stands here twice; first at c.yaml:1"),
    ("a: &x 1\nb: *x\n", ":1: anchors"), ("a: *x\n", "c.yaml:1"), ("- 1\n- 2\n", ":1: expected keys and values"),
    ("a: 1\n---\nb: 2\n", "second document"), ("[a]: 1\n", ":1: a key must be plain text"),
    ("just text\n", ":1: expected keys"),
    ("\tx: 1\n", ":1: not valid YAML"), (String(repeating: "[", count: 1000), "nested deeper"),
    ("a: \u{1}", "not valid YAML"),
  ])
  func refuses(_ text: String, _ reason: String) {
    let message = Self.message { _ = try Self.root(text) }
    #expect(message.hasPrefix("c.yaml") && message.contains(reason) && !message.contains("\n"), "\(message)")
  }

  // MARK: Triplets

  static func training(_ more: String) throws -> TrainingConfiguration {
    let text = "frames: a.xyz\ntemperature: 300\noutput: m\n" + more
    return try TrainingConfiguration(YAMLNode(parsing: Array(text.utf8), name: "c.yaml"))
  }

  /// They are the default where nothing speaks against them.
  @Test func tripletsAreTheDefault() throws {
    #expect(try Self.training("").fit.triplets == TripletSettings())
    #expect(try Self.training("triplets: true").fit.triplets == TripletSettings())
    #expect(try Self.training("objective: forces").fit.triplets == TripletSettings())
    #expect(try Self.training("network: {}").fit.triplets == TripletSettings())
    #expect(try Self.training("triplets: false").fit.triplets == nil)
    var settings = TripletSettings()
    (settings.rMax, settings.intervals, settings.lMax) = (5.5, 7, 1)
    #expect(try Self.training("triplets: {r_max: 5.5, intervals: 7, l_max: 1}").fit.triplets == settings)
  }

  @Test(arguments: [
    ("triplets: {l_max: 4}", "c.yaml:4: triplets.l_max is 4; expected 0, 1, 2 or 3"),
    ("triplets: {intervals: 3}", "triplets.intervals is 3; expected 4 to 50"),
    ("triplets: {r_max: 0}", "triplets.r_max is 0.0; expected a positive distance"),
    ("triplets: {l_mx: 2}", "did you mean l_max"),
    ("triplets: 5", "triplets is"),
  ])
  func refusesTriplets(_ text: String, _ reason: String) {
    let message = Self.message { _ = try Self.training(text) }
    #expect(message.contains(reason), "\(message)")
  }

  @Test func readsEmptyDocuments() throws {
    try Self.root("").finish()
    try Self.root("# nothing\n").finish()
    try Self.root("~\n").finish()
  }

  @Test func commandLineOverrides() throws {
    var node = try YAMLNode(parsing: Array(Self.text.utf8), name: "c.yaml")
    try node.set("noise.sigma=[1, 2]", source: "--set")
    try node.set("new.section.key=text = more", source: "--set")
    try node.set("temperature=warm", source: "--set")
    let root = try ConfigurationSection(node)
    #expect(try root.section("noise").doubles("sigma") == [1, 2])
    #expect(try root.section("noise").int("copies") == 3)
    #expect(try root.section("new").section("section").text("key") == "text = more")
    #expect(
      Self.message { _ = try root.double("temperature") }
        == "--set: temperature is \"warm\"; expected a number")
    #expect(Self.message { try node.set("select.x=1", source: "--set") }.hasPrefix("--set select.x: there is no x"))
    #expect(Self.message { try node.set("noise", source: "--set") }.contains("expected KEY.PATH=VALUE"))
    #expect(Self.message { try node.set(".a=1", source: "--set") }.contains("expected KEY.PATH=VALUE"))
    #expect(Self.message { try node.set("a=[", source: "--set") }.contains("not valid YAML"))
  }
}
