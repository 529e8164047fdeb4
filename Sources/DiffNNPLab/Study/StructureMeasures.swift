import DiffNNP
import DiffNNPAnalysis
import DiffNNPFrames

/// A number with its name: "rdf_mae.LiCl".
package struct Measure: Equatable, Sendable {
  /// Name: a measure and, where there are several, the pair or triple of types.
  package var name: String
  /// Value, in the measure's own unit.
  package var value: Double

  /// A value with its name.
  package init(_ name: String, _ value: Double) {
    self.name = name
    self.value = value
  }
}

/// The reference that structures of one system are compared with, and the distances within which they are compared.
package struct StructureComparison: Sendable {
  /// The g(r) that structures are compared with.
  package var reference: RadialDistribution
  /// The distributions of angles that structures are compared with; nil where none are compared.
  package var angleReference: AngleDistribution?
  /// Largest distance of the neighbours that form these angles (Å).
  package var angleRadius: Double
  /// Ends (Å) of the shells of a pair of types, by its key: the first shell lies below the first, the second between
  /// the first and the second, ….
  package var shells: [String: [Double]]
  /// Whether the tetrahedral order parameter is a measure.
  package var hasTetrahedralOrder: Bool
  /// Largest distance of g(r) that is compared (Å).
  package var rMax = 10.0

  /// A comparison with a reference, up to 10 Å.
  package init(
    reference: RadialDistribution, angleReference: AngleDistribution? = nil, angleRadius: Double = 6,
    shells: [String: [Double]] = [:], hasTetrahedralOrder: Bool = false
  ) {
    self.reference = reference
    self.angleReference = angleReference
    self.angleRadius = angleRadius
    self.shells = shells
    self.hasTetrahedralOrder = hasTetrahedralOrder
  }
}

/// The structure of some frames, and measures of its difference from a reference.
package struct StructureMeasures: Sendable {
  /// g(r) of all trajectories together.
  package let distribution: RadialDistribution
  /// Distributions of angles; nil where none are compared.
  package let angles: AngleDistribution?
  /// `rdf_mae.PAIR`; for each shell `peak1.PAIR`, the largest g in it, and `coordination1.PAIR`, the neighbours up to
  /// its end; `angle_jsd.TRIPLE`; `tetrahedral_order`; `min_distance.PAIR`.
  package let measures: [Measure]

  /// Computes the structure of trajectories and its measures.
  /// - Parameter trajectories: independent runs, taken together.
  /// - Throws: where there are no frames, or their structure cannot be compared with the reference.
  package init(_ trajectories: [Trajectory], _ comparison: StructureComparison) throws {
    let g = try RadialDistribution(trajectories, rMax: comparison.rMax, binWidth: comparison.reference.binWidth)
    distribution = g
    let names = g.typeNames
    var measures: [Measure] = []
    let errors = try g.meanAbsoluteError(against: comparison.reference, rMax: comparison.rMax)
    for (pair, error) in zip(g.pairs, errors) where error.isFinite {
      measures.append(Measure("rdf_mae.\(pair.key(names))", error))
    }
    for pair in g.pairs {
      measures += Self.shells(of: pair, g, ends: comparison.shells[pair.key(names)] ?? [])
    }
    if let reference = comparison.angleReference {
      let angles = try AngleDistribution(trajectories, radius: comparison.angleRadius, triples: reference.triples)
      for (triple, divergence) in zip(angles.triples, try angles.divergence(from: reference)) {
        measures.append(Measure("angle_jsd.\(triple.label(names))", divergence))
      }
      self.angles = angles
    } else {
      angles = nil
    }
    if comparison.hasTetrahedralOrder {
      measures.append(Measure("tetrahedral_order", try TetrahedralOrder.mean(trajectories).mean))
    }
    for (p, pair) in g.pairs.enumerated() {
      guard let smallest = g.counts?.smallestDistances[p] ?? nil else { continue }
      measures.append(Measure("min_distance.\(pair.key(names))", smallest))
    }
    self.measures = measures
  }

  private static func shells(of pair: TypePair, _ g: RadialDistribution, ends: [Double]) -> [Measure] {
    let key = pair.key(g.typeNames)
    var begin = 0.0
    return ends.enumerated().flatMap { k, end in
      defer { begin = end }
      return [
        Measure("peak\(k + 1).\(key)", g.peakHeight(pair, from: begin, to: end)),
        Measure(
          "coordination\(k + 1).\(key)", g.coordinationNumber(of: pair.second, around: pair.first, within: end) ?? 0),
      ]
    }
  }
}
