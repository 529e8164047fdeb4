// The functions are named as the C ABI has them.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CDiffNNP
import DiffNNP

// The functions of include/diffnnp.h, which says what they do; the compiler checks them against it. They check
// arguments, translate, and call the core.

/// Version of the library, "MAJOR.MINOR.PATCH"; the string lives as long as the library.
@c @implementation
public func diffnnp_version() -> UnsafePointer<CChar>! {
  cString(diffnnpVersion)
}

/// Message of the last failure in this thread, "" where there was none; valid until the next failure in it.
@c @implementation
public func diffnnp_last_error() -> UnsafePointer<CChar>! {
  LastError.text ?? cString("")
}

private func cString(_ text: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

/// Reads a weight file, and stores a handle of the model, or NULL where that fails.
@c @implementation
public func diffnnp_model_load(_ path: UnsafePointer<CChar>!, _ model: UnsafeMutablePointer<OpaquePointer?>!)
  -> diffnnp_status
{
  reporting(DIFFNNP_ERROR_FILE) {
    let result = try required(model, "model")
    result.pointee = nil
    let path = String(cString: try required(path, "path"))
    result.pointee = Handles.shared.insert(Model(try Potential.load(path: path)))
  }
}

/// Frees a model; its evaluators stay valid. NULL is passed over.
@c @implementation
public func diffnnp_model_free(_ model: OpaquePointer!) -> diffnnp_status {
  reporting { try Handles.shared.removeModel(model) }
}

/// Writes types, cutoff and metadata of a model into a struct of the caller, whose `size` is set.
@c @implementation
public func diffnnp_model_get_info(_ model: OpaquePointer!, _ info: UnsafeMutablePointer<diffnnp_model_info>!)
  -> diffnnp_status
{
  reporting {
    let model = try Handles.shared.model(model)
    let (potential, metadata) = (model.potential, model.potential.metadata)
    let place = try required(info, "info")
    var info = try known(place, "diffnnp_model_info")
    info.type_count = Int32(potential.typeNames.count)
    info.is_many_body = potential.isManyBody ? 1 : 0
    info.r_max = potential.rMax
    info.exchange_width = Int32(potential.members.flatMap(\.exchangeWidths).max() ?? 0)
    info.temperature = metadata.temperature ?? 0
    info.density = metadata.densities?.reduce(0, +) ?? 0
    let cell = metadata.cell ?? [.zero, .zero, .zero]
    withUnsafeMutableBytes(of: &info.cell) {
      let rows = $0.assumingMemoryBound(to: Double.self)
      for k in 0..<9 { rows[k] = cell[k / 3][k % 3] }
    }
    info.has_grades = potential.grade == nil ? 0 : 1
    info.member_count = Int32(potential.members.count)
    info.checksum = UnsafePointer(model.checksum)
    store(info, to: place)
  }
}

/// Stores the name of a type, counted from 0; the string lives as long as the model.
@c @implementation
public func diffnnp_model_get_type_name(
  _ model: OpaquePointer!, _ type: CInt, _ name: UnsafeMutablePointer<UnsafePointer<CChar>?>!
) -> diffnnp_status {
  reporting {
    let names = try Handles.shared.model(model).typeNames
    let name = try required(name, "name")
    guard names.indices.contains(Int(type)) else {
      throw Failure(DIFFNNP_ERROR_ARGUMENT, "type is \(type); the model has types 0...\(names.count - 1)")
    }
    name.pointee = UnsafePointer(names[Int(type)])
  }
}

/// Makes an evaluator of a model's first member, and stores its handle, or NULL where that fails.
@c @implementation
public func diffnnp_evaluator_create(
  _ model: OpaquePointer!, _ precision: diffnnp_precision, _ evaluator: UnsafeMutablePointer<OpaquePointer?>!
) -> diffnnp_status {
  diffnnp_evaluator_create_member(model, precision, 0, evaluator)
}

/// Makes an evaluator of a member of an ensemble, counted from 0, and stores its handle, or NULL where that fails.
@c @implementation
public func diffnnp_evaluator_create_member(
  _ model: OpaquePointer!, _ precision: diffnnp_precision, _ member: CInt,
  _ evaluator: UnsafeMutablePointer<OpaquePointer?>!
) -> diffnnp_status {
  reporting {
    let result = try required(evaluator, "evaluator")
    result.pointee = nil
    let members = try Handles.shared.model(model).potential.members
    guard let precision = Precision(precision) else {
      throw Failure(DIFFNNP_ERROR_ARGUMENT, "precision is neither DIFFNNP_SINGLE nor DIFFNNP_DOUBLE")
    }
    guard members.indices.contains(Int(member)) else {
      throw Failure(DIFFNNP_ERROR_ARGUMENT, "member is \(member); the model has members 0...\(members.count - 1)")
    }
    result.pointee = Handles.shared.insert(Workspace(Evaluator(members[Int(member)], precision: precision)))
  }
}

/// Sets the number of threads of an evaluator, 1 to 1024.
@c @implementation
public func diffnnp_evaluator_set_threads(_ evaluator: OpaquePointer!, _ threads: CInt) -> diffnnp_status {
  reporting {
    let workspace = try Handles.shared.borrow(evaluator)
    defer { Handles.shared.giveBack(workspace) }
    guard (1...1024).contains(threads) else {
      throw Failure(DIFFNNP_ERROR_ARGUMENT, "threads is \(threads); expected 1 to 1024")
    }
    workspace.evaluator.threads = Int(threads)
  }
}

/// Frees an evaluator that no thread is using. NULL is passed over.
@c @implementation
public func diffnnp_evaluator_free(_ evaluator: OpaquePointer!) -> diffnnp_status {
  reporting { try Handles.shared.removeEvaluator(evaluator) }
}

/// Computes energy (eV), forces (eV/Å) and virials (eV) with the neighbour list of the caller.
@c @implementation
public func diffnnp_compute(
  _ evaluator: OpaquePointer!, _ system: UnsafePointer<diffnnp_system>!,
  _ results: UnsafeMutablePointer<diffnnp_results>!
) -> diffnnp_status {
  computing(evaluator, system, "diffnnp_system", results) { workspace, system, results in
    let functions = try AtomExchange.Functions(checking: system.exchange)
    try workspace.compute(NeighbourList(checking: system), functions, &results)
  }
}

/// Computes energy (eV), forces (eV/Å) and virials (eV) of atoms in a cell, whose neighbours are found here.
@c @implementation
public func diffnnp_compute_periodic(
  _ evaluator: OpaquePointer!, _ system: UnsafePointer<diffnnp_periodic_system>!,
  _ results: UnsafeMutablePointer<diffnnp_results>!
) -> diffnnp_status {
  computing(evaluator, system, "diffnnp_periodic_system", results) { workspace, system, results in
    try workspace.compute(system, &results)
  }
}

/// The common frame of the functions that compute: borrows the evaluator, and checks the structs.
private func computing<System: SizedStruct>(
  _ evaluator: OpaquePointer?, _ system: UnsafePointer<System>?, _ name: StaticString,
  _ results: UnsafeMutablePointer<diffnnp_results>?,
  _ body: (Workspace, System, inout diffnnp_results) throws -> Void
) -> diffnnp_status {
  reporting(DIFFNNP_ERROR_SYSTEM) {
    let workspace = try Handles.shared.borrow(evaluator)
    defer { Handles.shared.giveBack(workspace) }
    let system = try known(required(system, "system"), name)
    let place = try required(results, "results")
    var results = try known(place, "diffnnp_results")
    if results.atom_grades != nil, workspace.evaluator.potential.grade == nil {
      throw Failure(
        DIFFNNP_ERROR_UNSUPPORTED, "the model has no extrapolation grades: its file does not know the training data")
    }
    defer { store(results, to: place) }
    try body(workspace, system, &results)
  }
}
