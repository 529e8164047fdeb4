import CDiffNNP
import DiffNNP
import Glibc

/// The error that refuses a call: the status it returns, and the message for `diffnnp_last_error`.
struct Failure: Error {
  let status: diffnnp_status
  let message: String

  init(_ status: diffnnp_status, _ message: String) {
    self.status = status
    self.message = message
  }
}

/// Runs the body of a C function. All of them go through here: what a body throws becomes a status and a message.
/// - Parameter fallback: status of errors of the core, which know no status.
@inline(__always)
func reporting(_ fallback: diffnnp_status = DIFFNNP_ERROR_ARGUMENT, _ body: () throws -> Void) -> diffnnp_status {
  do {
    try body()
    return DIFFNNP_OK
  } catch let failure as Failure {
    return report(failure)
  } catch let error as OutOfMemory {
    return report(Failure(DIFFNNP_ERROR_MEMORY, error.description))
  } catch let error as PartialNeighbour {
    return report(Failure(DIFFNNP_ERROR_UNSUPPORTED, error.description))
  } catch let error as DiffNNPError {
    return report(Failure(fallback, error.message))
  } catch {
    return report(Failure(fallback, "\(error)"))
  }
}

private func report(_ failure: Failure) -> diffnnp_status {
  LastError.set(failure.message)
  return failure.status
}

/// The message of the last failure of each thread.
enum LastError {
  private static let capacity = 1024

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key) { free($0) }
    return key
  }()

  static func set(_ message: String) {
    guard let buffer = pthread_getspecific(key) ?? allocate() else { return }
    let text = buffer.assumingMemoryBound(to: CChar.self)
    var length = 0
    for byte in message.utf8.prefix(capacity - 1) {
      // One line, whatever file names and file contents are quoted in it.
      text[length] = CChar(bitPattern: byte < 0x20 ? 0x20 : byte)
      length += 1
    }
    text[length] = 0
  }

  /// Nil where the thread had no failure.
  static var text: UnsafePointer<CChar>? {
    pthread_getspecific(key).map { UnsafePointer($0.assumingMemoryBound(to: CChar.self)) }
  }

  private static func allocate() -> UnsafeMutableRawPointer? {
    let buffer = malloc(capacity)
    pthread_setspecific(key, buffer)
    return buffer
  }
}
