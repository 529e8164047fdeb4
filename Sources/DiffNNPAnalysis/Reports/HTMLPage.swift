/// A page of HTML that needs no other files: style and figures are inside.
struct HTMLPage {
  private let title: String
  private var body = ""

  init(title: String) { self.title = title }

  mutating func heading(_ text: String) { body += "<h2>\(Self.escaped(text))</h2>\n" }

  mutating func paragraph(_ text: String, class name: String = "") {
    body += "<p\(name.isEmpty ? "" : " class=\"\(name)\"")>\(Self.escaped(text))</p>\n"
  }

  mutating func list(_ items: [String]) {
    body += "<ul>\n" + items.map { "<li>\(Self.escaped($0))</li>\n" }.joined() + "</ul>\n"
  }

  /// A table; the first cell of each row names it.
  mutating func table(head: [String], rows: [[String]]) {
    func row(_ cells: [String], _ tag: String) -> String {
      "<tr>" + cells.map { "<\(tag)>\(Self.escaped($0))</\(tag)>" }.joined() + "</tr>\n"
    }
    body += "<table>\n" + row(head, "th") + rows.map { row($0, "td") }.joined() + "</table>\n"
  }

  /// A figure from an SVG document, with a caption.
  mutating func figure(svg: String, caption: String) {
    // What stands before <svg> (the XML declaration and the document type) is not allowed inside a page.
    let start = svg.firstRange(of: "<svg")?.lowerBound ?? svg.startIndex
    body += "<figure>\n\(svg[start...])\n<figcaption>\(Self.escaped(caption))</figcaption>\n</figure>\n"
  }

  var text: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>\(Self.escaped(title))</title>
    <style>
    body { font: 16px/1.5 system-ui, -apple-system, "Helvetica Neue", Arial, sans-serif; color: #222;
      max-width: 68rem; margin: 2.5rem auto; padding: 0 1.5rem; }
    h1 { font-size: 1.6rem; margin-bottom: 0.3rem; }
    h2 { font-size: 1.15rem; margin-top: 2.2rem; }
    p, li { max-width: 46rem; }
    p.verdict { font-size: 1.1rem; border-left: 4px solid #2b6ca3; padding: 0.4rem 0 0.4rem 1rem; }
    table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
    th, td { text-align: right; padding: 0.3rem 0.9rem; border-bottom: 1px solid #ddd; }
    th { font-weight: 600; border-bottom: 1px solid #888; }
    th:first-child, td:first-child { text-align: left; padding-left: 0; }
    figure { margin: 1rem 0; }
    figure svg { max-width: 100%; height: auto; }
    figcaption { color: #666; font-size: 0.9rem; max-width: 46rem; }
    </style>
    </head>
    <body>
    <h1>\(Self.escaped(title))</h1>
    \(body)</body>
    </html>

    """
  }

  static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }
}
