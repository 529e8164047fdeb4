/// " (did you mean X?)" for the candidate nearest to a misspelled name; empty where none is near.
public func didYouMean(_ name: String, of candidates: [String]) -> String {
  let distances = candidates.map { (editDistance(name, $0), $0) }
  guard let nearest = distances.min(by: { $0.0 < $1.0 }), nearest.0 <= max(2, name.count / 3) else { return "" }
  return " (did you mean \(nearest.1)?)"
}

/// The number of characters to insert, delete, replace or swap with the next that turns one text into the other
/// (optimal string alignment).
func editDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a), Array(b))
  var table = [[Int]](repeating: Array(0...b.count), count: a.count + 1)
  for i in 1..<(a.count + 1) {
    table[i][0] = i
    for j in 1..<(b.count + 1) {
      let replace = table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
      table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, replace)
      if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
        table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
      }
    }
  }
  return table[a.count][b.count]
}
