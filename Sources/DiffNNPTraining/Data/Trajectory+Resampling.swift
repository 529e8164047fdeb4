import DiffNNP
import DiffNNPFrames

extension Trajectory {
  /// Number of contiguous pieces of time that make up each resampled block.
  private static let pieces = 10

  /// As many frames as there are, drawn at random in pieces of contiguous time, as another simulation might have given them
  /// (moving-block bootstrap: Künsch, Ann. Stat. 17, 1217 (1989)). The spread of potentials fitted to several such draws
  /// estimates their statistical uncertainty.
  ///
  /// Pieces are drawn within each block of cross-validation, so that no frame is both fitted and held out.
  /// - Throws: what `TimeBlocks` throws.
  public func resampled(blockCount: Int, seed: UInt64) throws -> Trajectory {
    let blocks = try TimeBlocks(frameCount: frames.count, blockCount: blockCount)
    var random = Philox(seed: seed, purpose: .resampling, frame: 0)
    var chosen: [Int] = []
    for block in blocks.ranges {
      let length = max(1, block.count / Self.pieces)
      let starts = stride(from: 0, to: block.count, by: length).map { _ in
        Int.random(in: block.lowerBound...block.upperBound - length, using: &random)
      }
      chosen += starts.sorted().flatMap { $0..<$0 + length }.prefix(block.count)
    }
    return Trajectory(typeNames: typeNames, frames: frames.at(chosen))
  }
}
