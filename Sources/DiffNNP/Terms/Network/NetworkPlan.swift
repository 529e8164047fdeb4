/// The network's architecture worked out: which tensors it has, which products of irreps it takes, and where everything
/// lies. What cannot reach the energy is left out: the last layer's vectors, for example.
///
/// Conventions are those of nequip 0.5 and e3nn 0.4–0.5: order of irreps, of paths and of weights, and all
/// normalisations, which are folded into the matrices here. Signs of couplings are those of e3nn 0.5.
struct NetworkPlan: Sendable {
  /// The position of a tensor in the vector of all parameters.
  struct Tensor: Sendable, Equatable {
    var name: String
    var shape: [Int]
    var offset: Int
    var count: Int { shape.reduce(1, *) }
  }

  /// A linear map on channels: rows are inputs, columns outputs. Element (u, w) is
  /// scale · θ[offset + u·rowStride + w].
  struct Matrix: Sendable {
    var rows: Int
    var columns: Int
    var offset: Int
    var rowStride: Int
    var scale: Double
  }

  /// Features of one irrep.
  struct Block: Sendable, Equatable {
    var irrep: Irrep
    var multiplicity: Int
  }

  /// Applies `matrix` to every component of an input block, and adds to an output block.
  struct Linear: Sendable {
    var input: Int
    var output: Int
    var matrix: Matrix
  }

  /// A linear map like `Linear`, with a matrix for each type of the atom.
  struct SelfConnection: Sendable {
    var input: Int
    var output: Int
    var matrices: [Matrix]
  }

  /// One nonvanishing coupling coefficient: out[m3] += c · Y[m2] · x[m1].
  struct Coupling: Sendable {
    var m1: Int
    var m2: Int
    var m3: Int
    var c: Double
  }

  /// A "uvu" tensor product: channel by channel, features of a neighbour times a harmonic of the edge.
  struct Path: Sendable {
    var input: Int
    /// Degree of the edge's harmonic.
    var edgeDegree: Int
    var output: Irrep
    var multiplicity: Int
    /// First of `multiplicity` columns of the radial network's output.
    var radialColumn: Int
    /// First of `multiplicity` rows of linear_2 for `output`, where all products of one irrep are merged.
    var mergedRow: Int
    var couplings: [Coupling]
  }

  /// How a block of the convolution's output becomes a block of features.
  struct Gate: Sendable {
    /// The block that is activated, or gated.
    var block: Int
    /// The block of scalars that gates it; nil for scalars.
    var gate: Int?
    /// For the scalars, or for the gate.
    var activation: Activation
  }

  struct Layer: Sendable {
    /// Features that come in.
    var inputs: [Block] = []
    /// linear_1, input blocks onto themselves.
    var linear1: [Linear] = []
    var paths: [Path] = []
    /// linear_2: `input` is a path.
    var linear2: [Linear] = []
    var selfConnections: [SelfConnection] = []
    /// Output of the convolution, before the gates.
    var convolution: [Block] = []
    /// One for each block of features that goes out.
    var gates: [Gate] = []
    /// The radial network: weights of its layers.
    var radial: [Matrix] = []
    var radialColumns = 0
    /// Channels of all products of an irrep, those of no use included.
    var mergedRows: [Irrep: Int] = [:]
  }

  var architecture: NetworkArchitecture
  var tensors: [Tensor] = []
  var parameterCount = 0
  var embedding: Matrix
  var layers: [Layer] = []
  /// conv_to_output_hidden on the scalars of the last layer, then output_hidden_to_scalar.
  var readoutHidden: Matrix
  var readout: Matrix
  var bessel: Int
  var scales: Int
  var shifts: Int
  var scaleBy: Int
}

extension NetworkPlan {
  /// Whether lanes of so many channels have none that stay zero; false for a width of 0.
  func fillsLanes(of width: Int) -> Bool {
    layers.allSatisfy { ($0.inputs + $0.convolution).allSatisfy { $0.multiplicity.isMultiple(of: width) } }
  }

  /// - Throws: where the hyperparameters make no network, or one outside the family.
  init(_ architecture: NetworkArchitecture) throws {
    try Self.check(architecture)
    var builder = TensorTable()
    let types = architecture.typeNames.count
    let features = architecture.chemicalEmbedding.blocks[0].multiplicity
    self.architecture = architecture

    let embeddingOffset = builder.add("model.func.chemical_embedding.linear.weight", [types * features])
    embedding = Matrix(
      rows: types, columns: features, offset: embeddingOffset, rowStride: features,
      scale: 1 / Double(types).squareRoot())

    let shapes = try Self.shapes(architecture)
    let last = shapes.last!.output.blocks
    guard let energetic = last.firstIndex(where: { $0.irrep == .scalar }) else {
      throw DiffNNPError("network: the last layer has no even scalars (0e) to read an energy from")
    }
    var inputs: [Int] = [0]
    for (index, outputs) in Self.neededOutputs(shapes, of: energetic).enumerated() {
      layers.append(shapes[index].layer(index, inputs: inputs, outputs: outputs, architecture, &builder))
      inputs = outputs
    }

    let scalars = last[energetic].multiplicity
    let hidden = architecture.outputHidden.blocks[0].multiplicity
    readoutHidden = Matrix(
      rows: scalars, columns: hidden,
      offset: builder.add("model.func.conv_to_output_hidden.linear.weight", [scalars * hidden]), rowStride: hidden,
      scale: 1 / Double(scalars).squareRoot())
    readout = Matrix(
      rows: hidden, columns: 1, offset: builder.add("model.func.output_hidden_to_scalar.linear.weight", [hidden]),
      rowStride: 1, scale: 1 / Double(hidden).squareRoot())
    scales = builder.add("model.func.per_species_rescale.scales", [types])
    shifts = builder.add("model.func.per_species_rescale.shifts", [types])
    bessel = builder.add("model.func.radial_basis.basis.bessel_weights", [architecture.numBasis])
    scaleBy = builder.add("scale_by", [])
    tensors = builder.tensors
    parameterCount = builder.count
  }

  /// All irreps of each layer.
  private static func shapes(_ architecture: NetworkArchitecture) throws -> [LayerShape] {
    var shapes: [LayerShape] = []
    var irreps = architecture.chemicalEmbedding
    for _ in 0..<architecture.numLayers {
      let shape = try LayerShape(input: irreps, architecture)
      shapes.append(shape)
      irreps = shape.output
    }
    return shapes
  }

  /// The blocks of each layer's output from which block `last` of the last one is made.
  private static func neededOutputs(_ shapes: [LayerShape], of last: Int) -> [[Int]] {
    var needed: Set<Int> = [last]
    var outputs: [[Int]] = []
    for shape in shapes.reversed() {
      outputs.append(needed.sorted())
      needed = shape.neededInputs(forOutputs: needed)
    }
    return outputs.reversed()
  }

  private static func check(_ a: NetworkArchitecture) throws {
    func require(_ condition: Bool, _ key: String, _ found: Any, _ expected: String) throws {
      if !condition { throw DiffNNPError("network: \(key) is \(found); expected \(expected)") }
    }
    try require(!a.typeNames.isEmpty && a.typeNames.count <= 256, "number of type_names", a.typeNames.count, "1 to 256")
    let largest = Potential.largestCutoff
    try require(a.rMax > 0 && a.rMax <= largest, "r_max", a.rMax, "a positive distance, \(largest) Å at most")
    try naming("network") { try a.floor.check(typeCount: a.typeNames.count, within: a.rMax) }
    try require((1...16).contains(a.numLayers), "num_layers", a.numLayers, "1 to 16")
    try require((1...64).contains(a.numBasis), "num_basis", a.numBasis, "1 to 64")
    try require((1...8).contains(a.invariantLayers), "invariant_layers", a.invariantLayers, "1 to 8")
    try require((1...1024).contains(a.invariantNeurons), "invariant_neurons", a.invariantNeurons, "1 to 1024")
    try require(a.cutoffExponent >= 2 && a.cutoffExponent <= 64, "PolynomialCutoff_p", a.cutoffExponent, "2 to 64")
    if let n = a.avgNumNeighbors {
      try require(n.isFinite && n > 0, "avg_num_neighbors", n, "a positive number")
    }
    for (key, irreps) in [
      ("chemical_embedding_irreps_out", a.chemicalEmbedding), ("conv_to_output_hidden_irreps_out", a.outputHidden),
    ] {
      try require(
        irreps.blocks.count == 1 && irreps.blocks[0].irrep == .scalar
          && (1...1024).contains(irreps.blocks[0].multiplicity),
        key, irreps, "even scalars alone, as in 8x0e")
    }
    let hidden = a.features.blocks
    try require(
      Set(hidden.map(\.irrep)).count == hidden.count
        && hidden.allSatisfy { $0.irrep.l <= SphericalHarmonics.maximumDegree && (1...1024).contains($0.multiplicity) },
      "feature_irreps_hidden", a.features, "each irrep once, of degree 3 at most, as in 8x0e+8x1o")
    let edges = a.edgeHarmonics.blocks
    try require(
      edges.enumerated().allSatisfy { $0.element.irrep.l == $0.offset && $0.element.multiplicity == 1 }
        && (1...SphericalHarmonics.maximumDegree + 1).contains(edges.count),
      "irreps_edge_sh", a.edgeHarmonics, "one harmonic of each degree from 0 to 3 at most, as in 1x0e+1x1o")
    let natural = edges.allSatisfy { $0.irrep.parity == ($0.irrep.l % 2 == 0 ? 1 : -1) }
    let even = edges.allSatisfy { $0.irrep.parity == 1 }
    try require(natural || even, "irreps_edge_sh", a.edgeHarmonics, "parities (-1)^l, or all even")
    for name in [
      a.nonlinearityScalars.even, a.nonlinearityScalars.odd, a.nonlinearityGates.even, a.nonlinearityGates.odd,
    ] {
      try require(Activation(rawValue: name) != nil, "nonlinearity", name, "silu, tanh, ssp or abs")
    }
  }
}

/// Collects tensors and hands out their offsets.
private struct TensorTable {
  var tensors: [NetworkPlan.Tensor] = []
  var count = 0

  mutating func add(_ name: String, _ shape: [Int]) -> Int {
    let tensor = NetworkPlan.Tensor(name: name, shape: shape, offset: count)
    tensors.append(tensor)
    count += tensor.count
    return tensor.offset
  }
}

/// Irreps of one layer, all of them, as nequip's ConvNetLayer and e3nn's Gate derive them.
private struct LayerShape {
  var input: Irreps
  var edge: Irreps
  var scalars: Irreps
  var gated: Irreps
  var gateIrrep: Irrep
  /// Output of the convolution: scalars, gates and gated features, sorted and merged.
  var convolution: Irreps
  var output: Irreps
  var activations: [Activation]
  var gateActivation: Activation

  init(input: Irreps, _ a: NetworkArchitecture) throws {
    self.input = input
    edge = a.edgeHarmonics
    let reachable = a.features.blocks.filter { input.reaches($0.irrep, through: a.edgeHarmonics) }
    scalars = Irreps(reachable.filter { $0.irrep.l == 0 })
    gated = Irreps(reachable.filter { $0.irrep.l > 0 })
    let gateIrrep = input.reaches(.scalar, through: a.edgeHarmonics) ? Irrep.scalar : Irrep(0, -1)
    self.gateIrrep = gateIrrep
    let gates = Irreps(gated.blocks.map { .init($0.multiplicity, gateIrrep) })
    convolution = (scalars.simplified() + gates.simplified() + gated.simplified()).sorted().simplified()

    activations = try scalars.blocks.map { try Self.activation(a.nonlinearityScalars, $0.irrep.parity) }
    guard zip(scalars.blocks, activations).allSatisfy({ $0.irrep.parity > 0 || $1.parity == -1 }) else {
      throw DiffNNPError(
        "network: an even function of odd scalars is not supported; expected nonlinearity_scalars o: tanh")
    }
    gateActivation = try Self.activation(a.nonlinearityGates, gateIrrep.parity)
    let gateParity = gateIrrep.parity > 0 ? 1 : gateActivation.parity!
    output = Irreps(
      scalars.blocks + gated.blocks.map { .init($0.multiplicity, Irrep($0.irrep.l, $0.irrep.parity * gateParity)) })
    guard !output.blocks.isEmpty else {
      throw DiffNNPError("network: a layer has no features that its input can reach")
    }
  }

  private static func activation(_ n: NetworkArchitecture.Nonlinearity, _ parity: Int) throws -> Activation {
    let name = parity > 0 ? n.even : n.odd
    guard let activation = Activation(rawValue: name), parity > 0 || activation.parity != nil else {
      throw DiffNNPError("network: \(name) is neither even nor odd, and can't act on odd scalars; expected tanh or abs")
    }
    return activation
  }

  /// A stretch of columns of the convolution's output that becomes a block of its own.
  struct Segment {
    var irrep: Irrep
    var multiplicity: Int
    /// Block of `convolution`, and first column in it.
    var block: Int
    var column: Int
  }

  /// The scalars' segments, the gates' and the gated ones', in this order, as e3nn's Gate cuts them.
  private var segments: [Segment] {
    let parts = scalars.blocks + gated.blocks.map { .init($0.multiplicity, gateIrrep) } + gated.blocks
    var used: [Irrep: Int] = [:]
    return parts.map { part in
      let segment = Segment(
        irrep: part.irrep, multiplicity: part.multiplicity,
        block: convolution.blocks.firstIndex { $0.irrep == part.irrep }!, column: used[part.irrep, default: 0])
      used[part.irrep, default: 0] += part.multiplicity
      return segment
    }
  }

  /// Indices into `segments` of what becomes an output, and of its gate.
  private func segmentIndices(forOutput output: Int) -> (block: Int, gate: Int?) {
    let s = scalars.blocks.count
    guard output >= s else { return (output, nil) }
    return (output + gated.blocks.count, output)
  }

  private func irreps(neededBy outputs: some Sequence<Int>) -> Set<Irrep> {
    var needed: Set<Irrep> = []
    for output in outputs {
      let (block, gate) = segmentIndices(forOutput: output)
      needed.insert(segments[block].irrep)
      if let gate { needed.insert(segments[gate].irrep) }
    }
    return needed
  }

  func neededInputs(forOutputs outputs: Set<Int>) -> Set<Int> {
    let needed = irreps(neededBy: outputs)
    return Set(
      input.blocks.indices.filter { i in
        edge.blocks.contains { e in (input.blocks[i].irrep * e.irrep).contains(where: needed.contains) }
      })
  }

  func layer(
    _ index: Int, inputs: [Int], outputs: [Int], _ a: NetworkArchitecture, _ tensors: inout TensorTable
  ) -> NetworkPlan.Layer {
    var layer = NetworkPlan.Layer()
    let prefix = "model.func.layer\(index)_convnet.conv."
    layer.inputs = inputs.map { .init(irrep: input.blocks[$0].irrep, multiplicity: input.blocks[$0].multiplicity) }
    addSegments(to: &layer, outputs)
    addPaths(to: &layer, inputs, needed: irreps(neededBy: outputs))
    addRadial(to: &layer, prefix, a, &tensors)
    addLinear1(to: &layer, prefix, inputs, &tensors)
    addLinear2(to: &layer, prefix, outputs, a, &tensors)
    if a.useSelfConnection { addSelfConnections(to: &layer, prefix, inputs, outputs, a, &tensors) }
    return layer
  }

  /// Segments kept, in the order in which `outputs` name them.
  private func kept(_ outputs: [Int]) -> [Int] {
    outputs.flatMap { output -> [Int] in
      let (block, gate) = segmentIndices(forOutput: output)
      return [block] + (gate.map { [$0] } ?? [])
    }
  }

  private func addSegments(to layer: inout NetworkPlan.Layer, _ outputs: [Int]) {
    let kept = kept(outputs)
    layer.convolution = kept.map { .init(irrep: segments[$0].irrep, multiplicity: segments[$0].multiplicity) }
    layer.gates = outputs.map { output in
      let (block, gate) = segmentIndices(forOutput: output)
      return .init(
        block: kept.firstIndex(of: block)!, gate: gate.flatMap { kept.firstIndex(of: $0) },
        activation: gate == nil ? activations[output] : gateActivation)
    }
  }

  /// All products in nequip's order; those of no use are counted, for their columns and rows, and dropped.
  private func addPaths(to layer: inout NetworkPlan.Layer, _ inputs: [Int], needed: Set<Irrep>) {
    for (i, block) in input.blocks.enumerated() {
      for (edgeDegree, harmonic) in edge.blocks.enumerated() {
        for output in block.irrep * harmonic.irrep where convolution.contains(output) {
          if needed.contains(output), let position = inputs.firstIndex(of: i) {
            layer.paths.append(
              .init(
                input: position, edgeDegree: edgeDegree, output: output, multiplicity: block.multiplicity,
                radialColumn: layer.radialColumns, mergedRow: layer.mergedRows[output, default: 0],
                couplings: Self.couplings(block.irrep.l, edgeDegree, output.l)))
          }
          layer.radialColumns += block.multiplicity
          layer.mergedRows[output, default: 0] += block.multiplicity
        }
      }
    }
  }

  /// Component normalisation: √(2l₃+1) times the normalised 3j symbol.
  private static func couplings(_ l1: Int, _ l2: Int, _ l3: Int) -> [NetworkPlan.Coupling] {
    let table = ClebschGordan.real(l1, l2, l3)
    let scale = Double(2 * l3 + 1).squareRoot()
    let (d2, d3) = (2 * l2 + 1, 2 * l3 + 1)
    var couplings: [NetworkPlan.Coupling] = []
    for m3 in 0..<d3 {
      for m1 in 0..<2 * l1 + 1 {
        for m2 in 0..<d2 where table[(m1 * d2 + m2) * d3 + m3] != 0 {
          couplings.append(.init(m1: m1, m2: m2, m3: m3, c: scale * table[(m1 * d2 + m2) * d3 + m3]))
        }
      }
    }
    return couplings
  }

  private func addRadial(
    to layer: inout NetworkPlan.Layer, _ prefix: String, _ a: NetworkArchitecture, _ tensors: inout TensorTable
  ) {
    let widths =
      [a.numBasis] + Array(repeating: a.invariantNeurons, count: a.invariantLayers) + [layer.radialColumns]
    for (k, (rows, columns)) in zip(widths, widths.dropFirst()).enumerated() {
      layer.radial.append(
        .init(
          rows: rows, columns: columns, offset: tensors.add(prefix + "fc.layer\(k).weight", [rows, columns]),
          rowStride: columns, scale: 1 / Double(rows).squareRoot()))
    }
  }

  private func addLinear1(
    to layer: inout NetworkPlan.Layer, _ prefix: String, _ inputs: [Int], _ tensors: inout TensorTable
  ) {
    let sizes = input.blocks.map { $0.multiplicity * $0.multiplicity }
    let offset = tensors.add(prefix + "linear_1.weight", [sizes.reduce(0, +)])
    for (position, i) in inputs.enumerated() {
      let n = input.blocks[i].multiplicity
      layer.linear1.append(
        .init(
          input: position, output: position,
          matrix: .init(
            rows: n, columns: n, offset: offset + sizes[..<i].reduce(0, +), rowStride: n,
            scale: 1 / Double(n).squareRoot())))
    }
  }

  private func addLinear2(
    to layer: inout NetworkPlan.Layer, _ prefix: String, _ outputs: [Int], _ a: NetworkArchitecture,
    _ tensors: inout TensorTable
  ) {
    let rows = layer.mergedRows
    // Weights lie by irrep of the merged products, in e3nn's order, which is that of the convolution's blocks.
    let sizes = convolution.blocks.map { rows[$0.irrep, default: 0] * $0.multiplicity }
    let offset = tensors.add(prefix + "linear_2.weight", [sizes.reduce(0, +)])
    let neighbours = a.avgNumNeighbors ?? 1
    let kept = kept(outputs).map { [segments] in segments[$0] }
    for (p, path) in layer.paths.enumerated() {
      for (position, segment) in kept.enumerated() where segment.irrep == path.output {
        let stride = convolution.blocks[segment.block].multiplicity
        layer.linear2.append(
          .init(
            input: p, output: position,
            matrix: .init(
              rows: path.multiplicity, columns: segment.multiplicity,
              offset: offset + sizes[..<segment.block].reduce(0, +) + path.mergedRow * stride
                + segment.column,
              rowStride: stride, scale: 1 / (Double(rows[path.output]!) * neighbours).squareRoot())))
      }
    }
  }

  /// A "uvw" product of features and one-hot type: weights [input channel][type][output channel].
  private func addSelfConnections(
    to layer: inout NetworkPlan.Layer, _ prefix: String, _ inputs: [Int], _ outputs: [Int], _ a: NetworkArchitecture,
    _ tensors: inout TensorTable
  ) {
    let types = a.typeNames.count
    var offsets: [Int: (offset: Int, block: Int)] = [:]
    var size = 0
    for (i, block) in input.blocks.enumerated() {
      if let o = convolution.blocks.firstIndex(where: { $0.irrep == block.irrep }) {
        offsets[i] = (size, o)
        size += block.multiplicity * types * convolution.blocks[o].multiplicity
      }
    }
    let base = tensors.add(prefix + "sc.weight", [size])
    let kept = kept(outputs).map { [segments] in segments[$0] }
    for (position, i) in inputs.enumerated() {
      guard let (offset, o) = offsets[i] else { continue }
      let rows = input.blocks[i].multiplicity
      let stride = convolution.blocks[o].multiplicity
      for (target, segment) in kept.enumerated() where segment.block == o {
        let matrices = (0..<types).map { type in
          NetworkPlan.Matrix(
            rows: rows, columns: segment.multiplicity,
            offset: base + offset + type * stride + segment.column, rowStride: types * stride,
            scale: 1 / Double(rows * types).squareRoot())
        }
        layer.selfConnections.append(.init(input: position, output: target, matrices: matrices))
      }
    }
  }
}
