import DiffNNPAnalysis
import DiffNNPFrames

/// A comparison of ways to learn a potential: every row is trained on every number of frames asked for, several times,
/// run in LAMMPS, and measured.
package struct Study {
  /// Data of a system, and how structures are compared on them.
  package struct System {
    package var name: String
    /// The trajectory that training frames are taken from.
    package var frames: String
    package var species: [String]?
    /// Temperature (K).
    package var temperature: Double
    /// Tables of the g(r) and of the angles that structures are compared with.
    package var reference: String
    package var angleReference: String?
    /// Largest distance of the neighbours that form angles (Å).
    package var angleRadius: Double
    /// Ends (Å) of the shells of a pair of types.
    package var shells: [String: [Double]]
    package var hasTetrahedralOrder: Bool
    /// Frames with the forces that are right; nil where these are unknown.
    package var test: String?
    /// Mass of each type (g/mol); nil takes those of the elements.
    package var masses: [Double]?
    /// Timestep of the runs (fs).
    package var timestep: Double
    /// Time at the beginning of each run that is not counted (ps); a twentieth of the run where that is more.
    package var equilibration: Double
  }

  /// The origin of a row's potential.
  package enum Source: Equatable {
    /// `diffnnp train` with this configuration.
    case training(String)
    /// `diffnnp-lab train` with this configuration, which may ask for more than `diffnnp train` knows.
    case recipe(String)
    /// Another program: called with the frames as extended XYZ, the temperature and a directory, it leaves
    /// `potential.lmp` there, commands that define the potential in LAMMPS.
    case program(String)
    /// The training frames themselves, analysed as if they were a run: the sampling error that even a perfect model
    /// has.
    case frames
  }

  /// Trainings of a row on one system.
  package struct Trial {
    package var system: String
    package var frameCounts: [Int]
    package var replicas: Int
    /// Length of each of the two runs (ps): from the first frame, and from a lattice.
    package var duration: Double
    /// Number of replicas of the cell in each direction, of which runs are made.
    package var cells = 1
    /// Factor on the density of the runs, to see whether potentials transfer to other states.
    package var density = 1.0
  }

  /// A way to learn a potential.
  package struct Row {
    package var name: String
    package var label: String
    package var source: Source
    /// Options of `pair_style diffnnp` in its runs.
    package var pairStyle: String?
    /// Position on the horizontal axis of a figure over rows, say a noise level.
    package var x: Double?
    package var trials: [Trial]

    /// Whether its potential comes from another program.
    package var isForeign: Bool {
      if case .program = source { return true }
      return false
    }
  }

  /// A measure in a table, times a factor that makes it readable.
  package struct Column {
    package var measure: String
    package var head: String
    package var factor: Double
    /// Number of decimals.
    package var digits: Int
  }

  /// A table of the report.
  package struct Table {
    package var name: String
    package var system: String
    package var rows: [String]
    package var frameCounts: [Int]?
    package var columns: [Column]
  }

  /// A figure of the report.
  package struct Plot {
    package enum Kind {
      /// g(r) of some rows over each other and over the reference.
      case rdf([(row: String, frameCount: Int, label: String?)])
      /// Measures against the number of frames.
      case frames(rows: [String], measures: [Column])
      /// Measures against the rows' x, for one number of frames.
      case x(rows: [String], frameCount: Int, measures: [Column], label: String)
    }

    package var name: String
    package var system: String
    package var kind: Kind
  }

  /// Directory of records, tables and figures.
  package var results: String
  /// Directory of models and runs, which may be deleted afterwards.
  package var work: String
  /// Whether networks are trained for a few steps only, to see that everything works.
  package var isQuick = false
  /// The template that numbers, tables and figures are put into, and the path of the report.
  package var template: String?
  package var report: String?
  package var systems: [System]
  package var rows: [Row]
  package var tables: [Table]
  package var plots: [Plot]

  /// The smallest version that exercises everything: the fewest frames of each trial, one replica, short runs.
  package func quick(duration: Double, results: String) -> Study {
    var study = self
    study.isQuick = true
    study.results = results
    study.work = "\(work)/quick"
    study.report = report == nil ? nil : "\(results)/RESULTS.md"
    for r in study.rows.indices {
      for t in study.rows[r].trials.indices {
        let trial = rows[r].trials[t]
        study.rows[r].trials[t].frameCounts = [trial.frameCounts.min()!]
        study.rows[r].trials[t].replicas = 1
        study.rows[r].trials[t].duration = min(trial.duration, duration)
      }
    }
    return study
  }

  /// The system of a name, which is one of the study's.
  package func system(_ name: String) -> System { systems.first { $0.name == name }! }

  /// All trainings, in the order of rows.
  package var jobs: [StudyJob] {
    rows.flatMap { row in
      row.trials.flatMap { trial in
        trial.frameCounts.flatMap { count in
          (1...trial.replicas).map { replica in
            StudyJob(
              key: .init(system: trial.system, row: row.name, frameCount: count, replica: replica), row: row,
              trial: trial)
          }
        }
      }
    }
  }
}

/// One training of a study, with its runs.
package struct StudyJob {
  package let key: StudyRecord.Key
  package let row: Study.Row
  package let trial: Study.Trial

  /// Position of the training frames in the trajectory, from 0, the earliest possible, to 1, the latest; replicas are
  /// as far apart as possible.
  package var relativeStart: Double { trial.replicas > 1 ? Double(key.replica - 1) / Double(trial.replicas - 1) : 0 }

  /// The frames to train on, of `available` ones, at equal distances.
  package func slice(of available: Int) -> (start: Int, stop: Int, step: Int) {
    let step = max(1, available / key.frameCount)
    let length = (key.frameCount - 1) * step + 1
    let start = Int(relativeStart * Double(available - length))
    return (start, start + length, step)
  }
}
