/// How edges enter each layer: geometry, messages, and forces.
extension NetworkEvaluator {
  /// Computes geometry and harmonics of a block's edges, unless they are known; of all edges where there are few.
  func prepareEdges(_ job: Job, _ centres: Range<Int>) {
    let known = job.block.centres
    guard centres.lowerBound < known.lowerBound || known.upperBound < centres.upperBound else { return }
    job.clock?.enter(.geometry)
    let edges = job.edges
    let centres = edges.count <= Self.fewEdges ? edges.centres : centres
    job.block.centres = centres
    let geometry = job.block.geometry.pointer
    let harmonics = job.block.harmonics.pointer
    let firstEdges = job.block.firstEdges.pointer
    assert(job.block.firstEdges.holds(centres.count + 1))
    let (rMax, isExact) = (layout.plan.architecture.rMax, exactRadial != nil)
    let (knotsPerLength, lastKnot) = (1 / weights.spacing, Double(weights.intervals - 1))
    var count = 0
    for i in centres {
      let first = count
      firstEdges[i - centres.lowerBound] = Int32(first)
      // The list may have more edges, where other terms of the potential reach farther.
      for e in Int(edges.offsets[i])..<Int(edges.offsets[i + 1]) where edges.lengths[e] < rMax {
        assert(job.block.geometry.holds(count + 1) && job.block.harmonics.holds((count + 1) * harmonicCount))
        fill(geometry + count, edges, i, e, job.directions, knotsPerLength, lastKnot)
        if isExact {
          // At the beginning of its own spline.
          geometry[count].knot = Int32((count - first) % EdgeBatch<L>.capacity)
          geometry[count].t = S(0)
        }
        // Here, since a loop of its own would be vectorised across edges, and scatter.
        let edge = geometry[count]
        SphericalHarmonics.evaluate(lMax, edge.x, edge.y, edge.z, into: harmonics + count &* harmonicCount)
        count += 1
      }
    }
    firstEdges[centres.count] = Int32(count)
  }

  @inline(__always)
  private func fill(
    _ geometry: UnsafeMutablePointer<EdgeGeometry<S>>, _ edges: EdgePointers, _ i: Int, _ e: Int,
    _ directions: UnsafePointer<SIMD3<Double>>?, _ knotsPerLength: Double, _ lastKnot: Double
  ) {
    let (length, vector) = (edges.lengths[e], edges.vectors[e])
    let inverse = 1 / length
    let u = SIMD3(vector.x * inverse, vector.y * inverse, vector.z * inverse)
    let floored = flooredLength(edges, i, e)
    // The position between knots loses digits in single precision, so it is found in double.
    let place = floored.distance * knotsPerLength
    let knot = min(place.rounded(.down), lastKnot)
    assert(knot >= 0, "distance \(floored.distance) Å is in none of the intervals")
    var (tangent, along) = (SIMD3<Double>.zero, 0.0)
    if let directions {
      along = dot(u, directions[e])
      tangent = (directions[e] - along * u) * inverse
    }
    geometry.pointee = EdgeGeometry(
      edge: Int32(truncatingIfNeeded: e), neighbour: edges.neighbours[e],
      x: S(u.x, tangent: tangent.x), y: S(u.y, tangent: tangent.y), z: S(u.z, tangent: tangent.z),
      inverseLength: S(inverse, tangent: -along * inverse * inverse), knot: Int32(knot),
      t: S(place - knot, tangent: along * floored.slope * knotsPerLength))
  }

  /// The length (Å) that radial functions use for edge e of centre i.
  @inline(__always)
  private func flooredLength(_ edges: EdgePointers, _ i: Int, _ e: Int) -> DistanceFloor.Floored {
    floor.floored(Int(edges.types[i]), Int(edges.types[Int(edges.neighbours[e])]), at: edges.lengths[e])
  }

  /// Calls `body` with all edges of a centre of the block, batch by batch.
  @inline(__always)
  private func forEachBatch(_ layer: Int, _ job: Job, _ i: Int, _ body: (EdgeBatch<L>) -> Void) {
    assert(job.block.centres.contains(i), "the edges of centre \(i) have not been prepared")
    let shape = layers[layer]
    let (firstEdges, geometry) = (job.block.firstEdges.pointer, job.block.geometry.pointer)
    let (harmonics, sources) = (job.block.harmonics.pointer, sources(layer, job))
    let sourcePlaces = job.block.sourcePlaces.pointer
    let place = i - job.block.centres.lowerBound
    var first = Int(firstEdges[place])
    let end = Int(firstEdges[place + 1])
    while first < end {
      let count = min(EdgeBatch<L>.capacity, end - first)
      findSources(layer, job, geometry + first, count, sourcePlaces)
      let batch = EdgeBatch<L>(
        edges: geometry + first, count: count, harmonics: harmonics + first * harmonicCount,
        harmonicCount: harmonicCount, splines: shape.table, radialVectors: shape.radialVectors,
        sources: sources, sourcePlaces: sourcePlaces)
      body(exactRadial == nil ? batch : withExactSplines(layer, job, i, batch))
      first += count
    }
  }

  /// Positions of the neighbours' sources in memory, which are those of their types in the first layer.
  @inline(__always)
  private func findSources(
    _ layer: Int, _ job: Job, _ geometry: UnsafePointer<EdgeGeometry<S>>, _ count: Int,
    _ places: UnsafeMutablePointer<Int>
  ) {
    assert(job.block.sourcePlaces.holds(count))
    let (vectors, types) = (layers[layer].featureVectors, job.edges.types)
    if layer == 0 {
      for e in 0..<count { places[e] = Int(types[Int(geometry[e].neighbour)]) &* vectors }
    } else {
      for e in 0..<count { places[e] = Int(geometry[e].neighbour) &* vectors }
    }
  }

  /// Replaces the splines of a batch by exact ones, one for each edge, which begin with the radial networks' values and
  /// slopes.
  private func withExactSplines(_ layer: Int, _ job: Job, _ i: Int, _ batch: EdgeBatch<L>) -> EdgeBatch<L> {
    var batch = batch
    let network = exactRadial![layer]
    let values = job.block.radialValues.pointer
    let scratch = job.block.radialScratch.pointer
    let splines = job.block.exactSplines.pointer
    assert(job.block.radialValues.holds(network.columns) && job.block.radialScratch.holds(network.scratchCount))
    assert(job.block.exactSplines.holds(4 * batch.count * batch.radialVectors))
    splines.update(repeating: .zero, count: 4 * batch.count * batch.radialVectors)
    for e in 0..<batch.count {
      let length = flooredLength(job.edges, i, Int(batch.edges[e].edge)).distance
      network.evaluate(Dual(length, 1), into: values, scratch: scratch)
      for path in layers[layer].paths {
        for c in 0..<path.channels {
          let value = values[path.radialColumn + c]
          let spline = splines + 4 * (e * batch.radialVectors + path.radial + c / L.width)
          L.Weight.store(L.Weight.Scalar(path.factor * value.value), spline, c % L.width)
          L.Weight.store(L.Weight.Scalar(path.factor * value.tangent * weights.spacing), spline + 1, c % L.width)
        }
      }
    }
    batch.splines = UnsafePointer(splines)
    return batch
  }

  /// Messages: for each centre, the sum over its edges of all paths.
  func sendMessages(_ layer: Int, _ job: Job, to centres: Range<Int>) {
    let shape = layers[layer]
    let m = shape.messageVectors
    let messages = job.block.messages(layer)
    let (paths, pathCount) = (shape.paths.baseAddress!, shape.paths.count)
    for i in centres {
      let a = messages + (i - centres.lowerBound) * m
      a.update(repeating: .zero, count: m)
      forEachBatch(layer, job, i) { batch in
        let kernel = Multiplication(batch: batch, coefficients: weights.couplings, a: a)
        for k in 0..<pathCount { kernel.run(paths + k) }
      }
    }
  }

  /// Clears the gradients of the sources, to which every edge adds.
  func clearSourceGradients(_ layer: Int, _ job: Job) {
    guard wantsSourceGradients(layer, job) else { return }
    let count = (layer == 0 ? weights.scales.count : job.edges.atomCount) * layers[layer].featureVectors
    ownSourceGradients(layer, job).update(repeating: .zero, count: count)
  }

  /// Gradients of the neighbours' sources, of the edges, and of the radial tables.
  func sendMessagesBackward(_ layer: Int, _ job: Job, to centres: Range<Int>) {
    let (shape, outputs) = (layers[layer], job.outputs)
    let m = shape.messageVectors
    let gh = ownSourceGradients(layer, job)
    let messageGradients = job.block.messageGradients.pointer
    let gEdge = job.block.edgeGradients.pointer
    let wantsEdges = outputs.forces != nil || outputs.forceTangents != nil
    let wantsScalars = wantsSourceGradients(layer, job)
    let (paths, pathCount) = (shape.paths.baseAddress!, shape.paths.count)
    for i in centres {
      let g = messageGradients + (i - centres.lowerBound) * m
      forEachBatch(layer, job, i) { batch in
        assert(job.block.edgeGradients.holds(batch.count * harmonicCount + 3))
        gEdge.update(repeating: .zero, count: batch.count &* harmonicCount)
        let kernel = MultiplicationPullBack(
          batch: batch, g: g, coefficients: weights.couplings, gx: gh, gEdge: gEdge,
          gSplines: outputs.weights?.tables[layer], wantsScalars: wantsScalars)
        for k in 0..<pathCount { kernel.run(paths + k) }
        if wantsEdges { addForces(i, job, batch, gEdge) }
      }
    }
  }

  /// Computes from the gradients of harmonics and lengths, for each channel, those of the edge vectors, and adds the
  /// forces.
  @inline(__always)
  private func addForces(_ centre: Int, _ job: Job, _ batch: EdgeBatch<L>, _ gEdge: UnsafePointer<L>) {
    let knotsPerLength = S(1 / weights.spacing)
    withUnsafeTemporaryAllocation(of: S.self, capacity: 16) { sums in
      let sums = sums.baseAddress!
      var (force, tangent) = (SIMD3<Double>.zero, SIMD3<Double>.zero)
      for e in 0..<batch.count {
        let edge = batch.edges[e]
        L.sum(gEdge + e &* harmonicCount, harmonicCount, into: sums)
        let along = sums[0] * knotsPerLength * flooredSlope(job, centre, Int(edge.edge))
        let angular = SphericalHarmonics.pullBack(
          lMax, edge.x, edge.y, edge.z, batch.harmonics + e &* harmonicCount, sums, inverseLength: edge.inverseLength)
        let (x, y, z) = (angular.0 + along * edge.x, angular.1 + along * edge.y, angular.2 + along * edge.z)
        let vector = job.edges.vectors[Int(edge.edge)]
        if let forces = job.outputs.forces {
          let gradient = SIMD3(x.primal, y.primal, z.primal)
          force += gradient
          forces.add(gradient, vector, from: centre, to: Int(edge.neighbour))
        }
        if let forces = job.outputs.forceTangents {
          let gradient = SIMD3(x.derivative, y.derivative, z.derivative)
          tangent += gradient
          forces.add(gradient, vector, from: centre, to: Int(edge.neighbour))
        }
      }
      job.outputs.forces?.addForce(force, toCentre: centre)
      job.outputs.forceTangents?.addForce(tangent, toCentre: centre)
    }
  }

  /// The derivative of the length that radial functions use with respect to the real one.
  @inline(__always)
  private func flooredSlope(_ job: Job, _ centre: Int, _ e: Int) -> S {
    guard job.edges.lengths[e] < floor.reach else { return S(1) }
    let floored = flooredLength(job.edges, centre, e)
    let along = job.directions.map { dot(job.edges.vectors[e], $0[e]) / job.edges.lengths[e] } ?? 0
    return S(floored.slope, tangent: floored.curvature * along)
  }
}
