import DiffNNPCommandLine

#if canImport(Glibc)
  import Glibc
#endif

exit(Program.lab.run())
