import DiffNNPTraining

#if canImport(Glibc)
  import Glibc
#endif

extension Ranks {
  /// Prints a line about the training on standard error, once for all processes.
  package func say(_ line: String) { if isFirst { fputs("train: \(line)\n", stderr) } }
}
