import CDiffNNP
import DiffNNP
import Glibc

/// The objects of all live handles. A handle is a number that is used once and is no address, so that freed and foreign
/// ones are recognised instead of followed.
final class Handles: @unchecked Sendable {
  static let shared = Handles()

  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var objects: [OpaquePointer: AnyObject] = [:]
  private var last: UInt = 0xD1FF_0000_0000_0000  // no address of user space has this form

  private init() { pthread_mutex_init(mutex, nil) }

  @inline(__always)
  private func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  func insert(_ object: AnyObject) -> OpaquePointer? {
    locked {
      last += 16
      let handle = OpaquePointer(bitPattern: last)
      if let handle { objects[handle] = object }
      return handle
    }
  }

  func model(_ handle: OpaquePointer?) throws -> Model {
    try locked { try find(handle, "model") }
  }

  func removeModel(_ handle: OpaquePointer?) throws {
    guard let handle else { return }
    // What the handle kept alive is released outside the lock.
    let removed = try locked {
      let _: Model = try find(handle, "model")
      return objects.removeValue(forKey: handle)
    }
    withExtendedLifetime(removed) {}
  }

  /// The evaluator of a handle, for the sole use of the caller until `giveBack`.
  func borrow(_ handle: OpaquePointer?) throws -> Workspace {
    try locked {
      let workspace: Workspace = try find(handle, "evaluator")
      try workspace.checkIdle()
      workspace.isBusy = true
      return workspace
    }
  }

  func giveBack(_ workspace: Workspace) {
    locked { workspace.isBusy = false }
  }

  func removeEvaluator(_ handle: OpaquePointer?) throws {
    guard let handle else { return }
    let removed = try locked {
      let workspace: Workspace = try find(handle, "evaluator")
      try workspace.checkIdle()
      return objects.removeValue(forKey: handle)
    }
    withExtendedLifetime(removed) {}
  }

  private func find<Object: AnyObject>(_ handle: OpaquePointer?, _ kind: String) throws -> Object {
    guard let handle else { throw Failure(DIFFNNP_ERROR_HANDLE, "the \(kind) is NULL") }
    guard let object = objects[handle] as? Object else {
      throw Failure(DIFFNNP_ERROR_HANDLE, "not a live \(kind): freed, of another kind, or never made by this library")
    }
    return object
  }
}

/// The object of a `diffnnp_model`.
final class Model {
  let potential: Potential
  /// The names of the types, as C strings.
  let typeNames: [UnsafeMutablePointer<CChar>?]
  /// The weight file's checksum, as a C string.
  let checksum: UnsafeMutablePointer<CChar>?

  init(_ potential: Potential) {
    self.potential = potential
    typeNames = potential.typeNames.map { strdup($0) }
    checksum = strdup(potential.checksum ?? "")
  }

  deinit {
    for name in typeNames { free(name) }
    free(checksum)
  }
}

/// The object of a `diffnnp_evaluator`.
final class Workspace {
  let evaluator: Evaluator
  let reader = NeighbourListReader()
  let search = NeighbourSearch(firstAtom: 0)
  let exchange = AtomExchange()
  /// Numbers of each atom that travel between domains in each exchange, in order.
  let exchangeWidths: [Int]
  /// Guarded by the lock of `Handles`.
  var isBusy = false

  init(_ evaluator: Evaluator) {
    self.evaluator = evaluator
    exchangeWidths = evaluator.potential.exchangeWidths
  }

  func checkIdle() throws {
    if isBusy { throw Failure(DIFFNNP_ERROR_BUSY, "the evaluator is in use by another thread; make one for each") }
  }
}
