import DiffNNP
import DiffNNPAnalysis

/// The results of one training and its runs in a study: a small JSON file, which is all that tables and figures need.
package struct StudyRecord: Sendable {
  /// The identity of a training within a study.
  package struct Key: Hashable, Sendable {
    /// Name of the system.
    package var system: String
    /// Name of the row: a way of training.
    package var row: String
    /// Number of frames of training data.
    package var frameCount: Int
    /// Number of the replica, from 1; each has its own frames and seed.
    package var replica: Int

    /// The identity of a training by its system, row, number of frames and replica.
    package init(system: String, row: String, frameCount: Int, replica: Int) {
      self.system = system
      self.row = row
      self.frameCount = frameCount
      self.replica = replica
    }

    /// Path of the training below the results: "licl-aa/default-500-1".
    package var name: String { "\(system)/\(row)-\(frameCount)-\(replica)" }
  }

  /// Identity of the training.
  package var key: Key
  /// All that the result depends on, in one line; a record of other settings is out of date.
  package var settings: String
  /// Measures of the training and its runs.
  package var measures: [Measure]
  /// g(r) of all runs together; nil where none lasted long enough.
  package var distribution: RadialDistribution?
  /// Distributions of angles of all runs together; nil where none are compared.
  package var angles: AngleDistribution?
  /// Why a run did not reach its end; nil where all did.
  package var failure: String?

  /// A record with given results.
  package init(
    key: Key, settings: String, measures: [Measure], distribution: RadialDistribution?, angles: AngleDistribution?,
    failure: String?
  ) {
    self.key = key
    self.settings = settings
    self.measures = measures
    self.distribution = distribution
    self.angles = angles
    self.failure = failure
  }

  /// A measure, or "kirkwood_buff.PAIR" (Å³, up to 10 Å), which follows from g(r); nil where the record has none of
  /// this name.
  package func value(_ measure: String) -> Double? {
    if let stored = measures.first(where: { $0.name == measure }) { return stored.value }
    guard let g = distribution else { return nil }
    return g.pairs.first { "kirkwood_buff.\($0.key(g.typeNames))" == measure }.map {
      g.kirkwoodBuffIntegral($0, within: 10)
    }
  }
}

// MARK: - Files

extension StudyRecord {
  /// The record as JSON, with g(r) and probabilities in four decimals.
  package var json: JSONValue {
    func rounded(_ values: [Double]) -> JSONValue { JSONValue(values.map { ($0 * 1e4).rounded() / 1e4 }) }
    var members: [JSONValue.Member] = [
      .init("system", .string(key.system)), .init("row", .string(key.row)), .init("frames", JSONValue(key.frameCount)),
      .init("replica", JSONValue(key.replica)), .init("settings", .string(settings)),
      .init("failure", failure.map { .string($0) } ?? .null),
      .init(
        "measures",
        .object(measures.map { .init($0.name, .number(Double($0.value.significant(6)) ?? $0.value)) })),
    ]
    if let distribution {
      let names = distribution.typeNames
      let curves = distribution.pairs.enumerated().map { p, pair in
        JSONValue.Member(pair.key(names), rounded(distribution.values[p]))
      }
      members += [
        .init("types", JSONValue(names)), .init("bin_width", .number(distribution.binWidth)),
        .init("g", .object(curves)),
      ]
    }
    if let angles {
      let names = angles.typeNames
      members.append(
        .init(
          "angles",
          .object(angles.triples.enumerated().map { .init($1.label(names), rounded(angles.probabilities[$0])) })))
    }
    return .object(members)
  }

  /// Reads a record.
  /// - Throws: with the file's name, where something is missing.
  package init(path: String) throws {
    self = try naming(path) { try StudyRecord(JSONValue(parsing: FileIO.read(path))) }
  }

  package init(_ json: JSONValue) throws {
    func get<T>(_ key: String, _ value: T?) throws -> T {
      guard let value else { throw DiffNNPError("no sensible \"\(key)\"; delete the file, and it is made again") }
      return value
    }
    key = Key(
      system: try get("system", json["system"]?.string), row: try get("row", json["row"]?.string),
      frameCount: try get("frames", json["frames"]?.int), replica: try get("replica", json["replica"]?.int))
    settings = try get("settings", json["settings"]?.string)
    failure = json["failure"]?.string
    measures = try get("measures", json["measures"]?.object).map {
      Measure($0.key, try get($0.key, $0.value.double))
    }
    guard json["g"] != nil else {
      (distribution, angles) = (nil, nil)
      return
    }
    let names = try get("types", json["types"]?.strings)
    let pairs = TypePair.all(typeCount: names.count)
    distribution = RadialDistribution(
      typeNames: names, binWidth: try get("bin_width", json["bin_width"]?.double),
      values: try pairs.map { try get("g", json["g"]?[$0.key(names)]?.doubles) })
    guard let members = json["angles"]?.object else {
      angles = nil
      return
    }
    let all = TypeTriple.all(typeCount: names.count)
    angles = AngleDistribution(
      typeNames: names,
      triples: try members.map { member in try get("angles", all.first { $0.label(names) == member.key }) },
      probabilities: try members.map { try get("angles", $0.value.doubles) })
  }
}
