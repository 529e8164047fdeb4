/// The kinds of terms that weight files may hold, in the order in which they are evaluated and written.
public enum TermRegistry {
  /// Pair term, triplet term and network.
  public static let kinds: [any Term.Type] = [PairTerm.self, TripletTerm.self, Network.self]
}
