import DiffNNP

#if canImport(Glibc)
  import Glibc
#endif

/// All verbs, in the order of the help page.
let commands: [any Command.Type] = []
