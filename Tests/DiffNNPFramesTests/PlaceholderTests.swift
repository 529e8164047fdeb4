import Testing

@testable import DiffNNPFrames
