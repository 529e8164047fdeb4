import Testing

@testable import DiffNNPTraining
