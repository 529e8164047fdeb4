import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

extension Ranks {
  /// Tells the user of training, once for all processes.
  func say(_ line: String) { if isFirst { fputs("train: \(line)\n", stderr) } }
}
