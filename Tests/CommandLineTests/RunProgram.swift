import DiffNNP
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// What a run of the program left behind.
struct ProgramResult {
  var exitCode: Int32
  var output: String
  var errors: String
}

/// The program beside these tests.
let programPath: String = {
  var buffer = [CChar](repeating: 0, count: 4096)
  let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
  let tests = String(decoding: buffer[..<max(count, 0)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return tests[...(tests.lastIndex(of: "/") ?? tests.startIndex)] + "diffnnp"
}()

/// A file or folder, named from the folder of these tests.
func besideThisFile(_ name: String) -> String {
  #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/" + name
}

/// A directory that goes when `body` returns, with everything in it.
func withDirectory(_ body: (String) throws -> Void) throws {
  var template = Array("/tmp/diffnnp-test-XXXXXX".utf8CString)
  try #require(mkdtemp(&template) != nil)
  let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  defer { _ = shell("rm -r '\(directory)'") }
  try body(directory)
}

/// Runs `diffnnp` with arguments quoted as a shell wants them.
func diffnnp(_ arguments: String, in directory: String) throws -> ProgramResult {
  try shellResult("'\(programPath)' \(arguments)", in: directory)
}

/// Runs `diffnnp-lab`, which lies beside it, with arguments quoted as a shell wants them.
func diffnnpLab(_ arguments: String, in directory: String) throws -> ProgramResult {
  try shellResult("'\(programPath)-lab' \(arguments)", in: directory)
}

/// Runs a shell command in a directory.
func shellResult(_ command: String, in directory: String) throws -> ProgramResult {
  let (output, errors) = (directory + "/.stdout", directory + "/.stderr")
  let code = shell("cd '\(directory)' && { \(command) ; } >'\(output)' 2>'\(errors)'")
  return ProgramResult(
    exitCode: code, output: String(decoding: try FileIO.read(output), as: UTF8.self),
    errors: String(decoding: try FileIO.read(errors), as: UTF8.self))
}

private func shell(_ command: String) -> Int32 {
  let status = system(command)
  return status & 0x7f == 0 ? (status >> 8) & 0xff : -1
}

/// Writes frames.xyz: jittered crystals of atoms 3 Å apart, `side` along each edge of the cell.
func writeJitteredCrystals(_ directory: String, side: Int = 2, frames: Int = 60) throws {
  let (count, edge) = (side * side * side, 3 * side)
  var text = ""
  for k in 0..<frames {
    var random = Philox(seed: 1, purpose: .noise, frame: k)
    text += "\(count)\nLattice=\"\(edge) 0 0 0 \(edge) 0 0 0 \(edge)\" Properties=species:S:1:pos:R:3 pbc=\"T T T\"\n"
    for site in 0..<count {
      let (a, b, c) = (site % side, site / side % side, site / (side * side))
      let x = 0.3 * random.normal3() + SIMD3(Double(a), Double(b), Double(c)) * 3
      text += "Ar \(x.x) \(x.y) \(x.z)\n"
    }
  }
  try FileIO.write(Array(text.utf8), to: directory + "/frames.xyz")
}
