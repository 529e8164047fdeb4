/// The layout of a plan's features and weights in memory, for lanes of a given width. Blocks are padded to complete
/// lanes with channels that stay zero.
struct NetworkLayout: Sendable {
  /// A padded matrix [rows][columnVectors] and its transpose [columns][rowVectors], in the array of packed weights.
  struct Matrix: Sendable {
    var source: NetworkPlan.Matrix
    var rowVectors: Int
    var columnVectors: Int
    var offset: Int
    var transposed: Int
  }

  /// y += x·W for each of `dimension` components. Offsets count vectors within an atom's features.
  struct Linear: Sendable {
    var input: Int
    var output: Int
    var dimension: Int
    var matrix: Matrix
  }

  struct Path: Sendable {
    /// Degrees l₁ of the input, l₂ of the harmonic and l₃ of the output, as octal digits: 0o112.
    var degrees: Int
    var input: Int
    /// Where the coefficients begin, of products of three degrees above 0.
    var coefficients: Int
    var output: Int
    var radial: Int
    var vectors: Int
    /// Constant factor of products where one degree is 0, folded into the radial weights.
    var factor: Double
    /// First column of the radial network's output, and number of channels.
    var radialColumn: Int
    var channels: Int
  }

  struct Gate: Sendable {
    var input: Int
    var gate: Int?
    var output: Int
    var dimension: Int
    var vectors: Int
    var activation: Activation
  }

  struct Layer: Sendable {
    var featureVectors = 0
    var messageVectors = 0
    var convolutionVectors = 0
    var outputVectors = 0
    var radialVectors = 0
    var linear1: [Linear] = []
    var paths: [Path] = []
    var linear2: [Linear] = []
    /// [type][…]
    var selfConnections: [[Linear]] = []
    var gates: [Gate] = []

    /// Channels of an atom's features, without the padding.
    var channels: Int { linear1.reduce(0) { $0 + $1.dimension * $1.matrix.source.columns } }
  }

  var plan: NetworkPlan
  /// Channels of a vector.
  var width: Int
  var layers: [Layer] = []
  var embedding: Matrix
  /// Vectors of the folded readout.
  var readout: Int
  var readoutVectors: Int
  /// Vectors of all packed weights but the radial tables.
  var weightVectors = 0
  var couplings: CouplingTable

  init(_ plan: NetworkPlan, width: Int) {
    self.plan = plan
    self.width = width
    var placement = Placement(width: width)
    embedding = placement.place(plan.embedding)
    layers = plan.layers.map { Layer($0, typeCount: plan.architecture.typeNames.count, &placement) }
    couplings = placement.couplings
    readout = placement.used
    readoutVectors = placement.vectors(plan.readoutHidden.rows)
    weightVectors = readout + readoutVectors
  }

  /// Vectors of an atom's features in the layer that has most.
  var widestFeatureVectors: Int { layers.reduce(1) { max($0, $1.featureVectors) } }
  /// Vectors of an atom's messages (sums over edges) in the layer that has most.
  var widestMessageVectors: Int { layers.reduce(1) { max($0, $1.messageVectors) } }

  /// Every matrix that is packed.
  var matrices: [Matrix] {
    [embedding]
      + layers.flatMap { layer in
        (layer.linear1 + layer.linear2 + layer.selfConnections.flatMap { $0 }).map(\.matrix)
      }
  }
}

/// Assigns positions in the array of packed weights and in the table of couplings.
private struct Placement {
  let width: Int
  var used = 0
  var couplings = CouplingTable()

  init(width: Int) { self.width = width }

  func vectors(_ channels: Int) -> Int { (channels + width - 1) / width }

  func vectors(_ block: NetworkPlan.Block) -> Int { block.irrep.dimension * vectors(block.multiplicity) }

  /// Where each block begins, and behind them where all end.
  func offsets(_ blocks: [NetworkPlan.Block]) -> [Int] {
    blocks.reduce(into: [0]) { $0.append($0.last! + vectors($1)) }
  }

  mutating func place(_ matrix: NetworkPlan.Matrix) -> NetworkLayout.Matrix {
    let (r, c) = (vectors(matrix.rows), vectors(matrix.columns))
    let placed = NetworkLayout.Matrix(
      source: matrix, rowVectors: r, columnVectors: c, offset: used, transposed: used + matrix.rows * c)
    used += matrix.rows * c + matrix.columns * r
    return placed
  }
}

extension NetworkLayout.Layer {
  fileprivate init(_ layer: NetworkPlan.Layer, typeCount: Int, _ placement: inout Placement) {
    let inputs = placement.offsets(layer.inputs)
    let convolution = placement.offsets(layer.convolution)
    featureVectors = inputs.last!
    convolutionVectors = convolution.last!
    for path in layer.paths { add(path, of: layer, inputs, &placement) }
    linear1 = layer.linear1.map {
      .init(
        input: inputs[$0.input], output: inputs[$0.output], dimension: layer.inputs[$0.input].irrep.dimension,
        matrix: placement.place($0.matrix))
    }
    linear2 = layer.linear2.map {
      .init(
        input: paths[$0.input].output, output: convolution[$0.output],
        dimension: layer.paths[$0.input].output.dimension,
        matrix: placement.place($0.matrix))
    }
    selfConnections = (0..<typeCount).map { type in
      layer.selfConnections.map {
        .init(
          input: inputs[$0.input], output: convolution[$0.output], dimension: layer.inputs[$0.input].irrep.dimension,
          matrix: placement.place($0.matrices[type]))
      }
    }
    for gate in layer.gates { add(gate, of: layer, convolution, placement) }
  }

  private mutating func add(
    _ path: NetworkPlan.Path, of layer: NetworkPlan.Layer, _ inputs: [Int], _ placement: inout Placement
  ) {
    let (l1, l2, l3) = (layer.inputs[path.input].irrep.l, path.edgeDegree, path.output.l)
    let vectors = placement.vectors(path.multiplicity)
    var (coefficients, factor) = (0, path.couplings[0].c)
    if l1 > 0, l2 > 0, l3 > 0 {
      (coefficients, factor) = (placement.couplings.place(l1, l2, l3, path.couplings), 1)
    }
    paths.append(
      .init(
        degrees: 64 * l1 + 8 * l2 + l3, input: inputs[path.input], coefficients: coefficients,
        output: messageVectors, radial: radialVectors, vectors: vectors, factor: factor,
        radialColumn: path.radialColumn, channels: path.multiplicity))
    messageVectors += path.output.dimension * vectors
    radialVectors += vectors
  }

  private mutating func add(
    _ gate: NetworkPlan.Gate, of layer: NetworkPlan.Layer, _ convolution: [Int], _ placement: Placement
  ) {
    let block = layer.convolution[gate.block]
    gates.append(
      .init(
        input: convolution[gate.block], gate: gate.gate.map { convolution[$0] }, output: outputVectors,
        dimension: block.irrep.dimension, vectors: placement.vectors(block.multiplicity), activation: gate.activation))
    outputVectors += placement.vectors(block)
  }
}
