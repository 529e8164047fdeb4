import DiffNNP
import DiffNNPCommandLine

#if canImport(Glibc)
  import Glibc
#endif

/// `diffnnp import-nequip WEIGHTS`.
enum ImportNequIPCommand: Command {
  static let syntax = Syntax(
    name: "import-nequip", summary: "Make a weight file from the tensors of a NequIP model.", operands: "WEIGHTS",
    operandCount: 1...1,
    options: [
      .init(name: "--output", short: "-o", value: "FILE", summary: "The weight file to write: model.safetensors."),
      .init(
        name: "--scale-by", value: "RULE",
        summary: "Whether energies are multiplied by the tensor scale_by: auto (default), apply or ignore."),
      .init(name: "--json", summary: "Print JSON: what diffnnp inspect shows, and what became of scale_by."),
    ],
    details: """
      WEIGHTS is a safetensors file with the tensors of a trained model of nequip 0.5 under the names of its state dict
      (F64 or F32, in eV and Å), and in its metadata the model's configuration as JSON text under the key config;
      nequip_version and e3nn_version are taken over where they are there. Layers, features, l_max from 0 to 3 and
      parity are what the configuration says.

      nequip multiplies energies by scale_by when a model is evaluated or deployed, but not in training mode, and the
      tensors do not say in which mode a model was. So auto is a guess from their precision: it applies scale_by to
      tensors in single precision, as deployed models have them, and ignores it for tensors in double precision, as
      state dicts of models built in training mode have them. Where forces are wrong by a constant factor, or the model
      is known to be one or the other, state the rule.
      """)

  /// What the metadata of a file may call the units of this program.
  private static let knownUnits = ["eV, Angstrom", "eV, Å", "eV, A"]

  static func run(_ arguments: Arguments) throws {
    let source = arguments.operands[0]
    guard let output = arguments.text("--output") else {
      throw UsageError("--output is missing; name the weight file to write: -o model.safetensors")
    }
    try OutputFile.check(output, inputs: [source])
    let scale = try arguments.choice("--scale-by", NequIPScale.self) ?? .auto
    let file = try SafetensorsFile(path: source)
    let potential = try naming(source) { try self.potential(file, scale, source: source) }
    try potential.save(path: output)

    let dropped = Network.droppedScale(of: file, scale)
    if let dropped {
      fputs(
        "diffnnp: note: scale_by = \(dropped) is left out, as nequip does in training mode; "
          + "--scale-by apply multiplies by it\n", stderr)
    }
    if arguments.flag("--json") { print(json(potential, droppedScale: dropped).serialised(pretty: true)) }
  }

  private static func potential(_ file: SafetensorsFile, _ scale: NequIPScale, source: String) throws -> Potential {
    if let units = file.metadata["units"], !knownUnits.contains(units) {
      throw DiffNNPError("its units are \"\(units)\"; expected \"\(knownUnits[0])\"")
    }
    let network = try Network(nequip: file, scale: scale)
    var metadata = PotentialMetadata()
    metadata.provenance = [
      "program": "diffnnp \(diffnnpVersion)", "imported from": String(source.split(separator: "/").last ?? ""),
    ]
    for key in ["nequip_version", "e3nn_version"] { metadata.provenance[key] = file.metadata[key] }
    return try Potential(
      typeNames: network.architecture.typeNames, energyScale: 1, terms: [network], metadata: metadata)
  }

  private static func json(_ potential: Potential, droppedScale: Double?) -> JSONValue {
    let inspected = InspectCommand.json(potential).object ?? []
    return .object(inspected + [.init("dropped_scale_by", droppedScale.map { .number($0) } ?? .null)])
  }
}
