#if canImport(Glibc)
  import Glibc
#endif

// A file that grows beyond its limit is an error like any other, not the end of the program.
signal(SIGXFSZ, SIG_IGN)
exit(Program.run(Array(CommandLine.arguments.dropFirst())))
