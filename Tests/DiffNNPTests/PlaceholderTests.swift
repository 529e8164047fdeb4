import Testing

@testable import DiffNNP
