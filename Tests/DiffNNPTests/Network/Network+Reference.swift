@testable import DiffNNP

extension Network {
  /// Energies of atoms by plain loops over the plan: no lanes, no padding, no tables, no special products, and every
  /// tensor product by its couplings.
  func referenceEnergies(_ edges: EdgeList) -> [Double] {
    var x = (0..<edges.atomCount).map { atom in
      [row(plan.embedding, Int(edges.types[atom])).map { [$0] }]
    }
    for (index, layer) in plan.layers.enumerated() {
      let h = x.map { apply(layer.linear1, to: $0, layer.inputs) }
      x = (0..<edges.centreCount).map { atom in
        var z = apply(layer.linear2, to: messages(index, atom, edges, h), layer.convolution)
        for connection in layer.selfConnections {
          let linear = NetworkPlan.Linear(
            input: connection.input, output: connection.output, matrix: connection.matrices[Int(edges.types[atom])])
          add(linear, x[atom][connection.input], to: &z[connection.output])
        }
        return gated(layer, z)
      }
    }
    return (0..<edges.centreCount).map { atom in
      let type = Int(edges.types[atom])
      let hidden = multiply(plan.readoutHidden, x[atom][0].map { $0[0] })
      let energy = multiply(plan.readout, hidden)[0]
      return parameters[plan.scaleBy] * (parameters[plan.scales + type] * energy + parameters[plan.shifts + type])
    }
  }

  /// Features of one irrep: [channel][component].
  private typealias Features = [[Double]]

  private func row(_ matrix: NetworkPlan.Matrix, _ u: Int) -> [Double] {
    (0..<matrix.columns).map { matrix.scale * parameters[matrix.offset + u * matrix.rowStride + $0] }
  }

  private func multiply(_ matrix: NetworkPlan.Matrix, _ x: [Double]) -> [Double] {
    var y = [Double](repeating: 0, count: matrix.columns)
    for u in 0..<matrix.rows { for (w, value) in row(matrix, u).enumerated() { y[w] += x[u] * value } }
    return y
  }

  private func add(_ linear: NetworkPlan.Linear, _ x: Features, to y: inout Features) {
    for m in y[0].indices {
      for (w, value) in multiply(linear.matrix, x.map { $0[m] }).enumerated() { y[w][m] += value }
    }
  }

  private func apply(_ maps: [NetworkPlan.Linear], to x: [Features], _ blocks: [NetworkPlan.Block]) -> [Features] {
    var y = blocks.map { Features(repeating: Array(repeating: 0, count: $0.irrep.dimension), count: $0.multiplicity) }
    for map in maps { add(map, x[map.input], to: &y[map.output]) }
    return y
  }

  /// For each path, Σ over neighbours of R(r) C Y(r̂) h: "uvu", channel by channel.
  private func messages(_ index: Int, _ atom: Int, _ edges: EdgeList, _ h: [[Features]]) -> [Features] {
    let layer = plan.layers[index]
    let radial = parameters.withUnsafeBufferPointer {
      RadialNetwork<Double>(plan, layer: index, parameters: $0.baseAddress!)
    }
    var sums = layer.paths.map {
      Features(repeating: Array(repeating: 0, count: $0.output.dimension), count: $0.multiplicity)
    }
    for e in Int(edges.offsets[atom])..<Int(edges.offsets[atom + 1]) where edges.lengths[e] < architecture.rMax {
      let y = SphericalHarmonics.reference(architecture.lMax, edges.vectors[e] / edges.lengths[e])
      let weights = radial.evaluate(edges.lengths[e])
      for (p, path) in layer.paths.enumerated() {
        let x = h[Int(edges.neighbours[e])][path.input]
        for u in 0..<path.multiplicity {
          for k in path.couplings {
            sums[p][u][k.m3] +=
              weights[path.radialColumn + u] * k.c * y[path.edgeDegree * path.edgeDegree + k.m2] * x[u][k.m1]
          }
        }
      }
    }
    return sums
  }

  private func gated(_ layer: NetworkPlan.Layer, _ z: [Features]) -> [Features] {
    layer.gates.map { gate in
      guard let gates = gate.gate else { return z[gate.block].map { $0.map { gate.activation.value($0) } } }
      return zip(z[gate.block], z[gates]).map { features, scalar in
        features.map { gate.activation.value(scalar[0]) * $0 }
      }
    }
  }
}
