import DiffNNPCommandLine

#if canImport(Glibc)
  import Glibc
#endif

exit(exitCode(program: Benchmark.syntax.name) { try Benchmark.run(Array(CommandLine.arguments.dropFirst())) })
