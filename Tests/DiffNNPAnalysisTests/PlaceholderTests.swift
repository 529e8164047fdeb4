import Testing

@testable import DiffNNPAnalysis
