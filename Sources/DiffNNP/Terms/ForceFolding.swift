/// Which atom receives the force on the far end of an edge.
public enum ForceFolding {
  /// To the atom the edge points at. For edges that point at atoms themselves, or codes that add forces on ghosts
  /// to their owners.
  case neighbours
  /// To the centre, twice: for pair terms alone, whose edges come in both directions. Ghosts receive nothing.
  case centres
}
