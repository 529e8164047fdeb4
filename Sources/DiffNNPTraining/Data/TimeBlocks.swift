import DiffNNP

/// Contiguous blocks of time for cross-validation. Frames close in time resemble each other, so complete blocks are
/// held out, never frames at random.
public struct TimeBlocks: Equatable, Sendable {
  /// Consecutive ranges of frames, of equal size to within one frame.
  public let ranges: [Range<Int>]

  /// Splits frames into blocks of time; there are no more blocks than frames.
  /// - Throws: where there are fewer than two frames or fewer than two blocks.
  public init(frameCount: Int, blockCount: Int) throws {
    guard frameCount >= 2 else {
      throw DiffNNPError("only \(frameCount) frame to learn from; cross-validation needs at least two: give more")
    }
    guard blockCount >= 2 else {
      throw DiffNNPError("blocks is \(blockCount); cross-validation needs at least two blocks of time")
    }
    let count = min(blockCount, frameCount)
    ranges = (0..<count).map { (0..<frameCount).piece($0, of: count) }
  }

  /// Number of blocks.
  public var count: Int { ranges.count }
  /// Number of frames in all blocks.
  public var frameCount: Int { ranges.last!.upperBound }

  /// Number of frames in all blocks but one.
  public func trainingFrameCount(holdingOut block: Int) -> Int { frameCount - ranges[block].count }

  /// The frames of one work item. Each block is split into `pieces` items, in order of time.
  package func frames(ofItem item: Int, pieces: Int) -> Range<Int> {
    ranges[item / pieces].piece(item % pieces, of: pieces)
  }
}

extension Range<Int> {
  /// One of `count` consecutive pieces of equal size to within one element.
  package func piece(_ k: Int, of count: Int) -> Range<Int> {
    lowerBound + self.count * k / count..<lowerBound + self.count * (k + 1) / count
  }
}
