/// Rule for whether an imported model's energies are multiplied by its tensor `scale_by`.
public enum NequIPScale: String, CaseIterable, Sendable {
  /// Multiply, as nequip does when it evaluates or deploys a model.
  case apply
  /// Do not multiply, as in nequip's training mode, where RescaleOutput passes energies through.
  case ignore
  /// `apply` where all tensors are in single precision, as in deployed models; `ignore` for state dicts in double
  /// precision, which come from models built in training mode.
  case auto
}

extension Network {
  /// The network in a safetensors file of a trained NequIP model: tensors under nequip's state-dict names, and the
  /// configuration as JSON text in the metadata key `config`.
  /// - Throws: where the file has no NequIP configuration, the architecture is outside the family, or tensors do not
  ///   fit it.
  public convenience init(nequip file: SafetensorsFile, scale: NequIPScale = .auto) throws {
    guard let text = file.metadata["config"] else {
      throw DiffNNPError("no NequIP configuration in the file's metadata; expected JSON text under the key config")
    }
    let architecture = try NetworkArchitecture(json: JSONValue(parsing: text))
    let network = try Network(architecture, tensors: file.tensors)
    var parameters = network.parameters
    if !Self.applies(scale, to: file) { parameters[network.plan.scaleBy] = 1 }
    if Self.hasOldCouplings(file.metadata["e3nn_version"]) { network.plan.flipOldCouplings(&parameters) }
    try self.init(architecture, parameters: parameters)
  }

  /// The factor `scale_by` that importing with `scale` leaves out, if any.
  public static func droppedScale(of file: SafetensorsFile, _ scale: NequIPScale) -> Double? {
    guard !applies(scale, to: file) else { return nil }
    return file.tensors.first { $0.name == "scale_by" }?.values.first.flatMap { $0 == 1 ? nil : $0 }
  }

  private static func applies(_ scale: NequIPScale, to file: SafetensorsFile) -> Bool {
    switch scale {
    case .apply: true
    case .ignore: false
    case .auto: file.tensors.allSatisfy { $0.values.allSatisfy { Double(Float($0)) == $0 } }
    }
  }

  /// e3nn changed the sign of some of its couplings with version 0.5.
  private static func hasOldCouplings(_ version: String?) -> Bool {
    guard let parts = version?.split(separator: ".").prefix(2).map({ Int($0) }), parts.count == 2,
      let major = parts[0], let minor = parts[1]
    else { return false }
    return (major, minor) < (0, 5)
  }
}

extension NetworkPlan {
  /// The couplings (1, l, l) in any order, l ≥ 2, had the other sign before e3nn 0.5: their radial weights take it
  /// over.
  fileprivate func flipOldCouplings(_ parameters: inout [Double]) {
    for layer in layers {
      let last = layer.radial.last!
      for path in layer.paths {
        let degrees = [layer.inputs[path.input].irrep.l, path.edgeDegree, path.output.l].sorted()
        guard degrees[0] == 1, degrees[1] >= 2, degrees[1] == degrees[2] else { continue }
        for row in 0..<last.rows {
          let first = last.offset + row * last.rowStride + path.radialColumn
          for k in first..<first + path.multiplicity { parameters[k] = -parameters[k] }
        }
      }
    }
  }
}
