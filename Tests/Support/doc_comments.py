"""Every public declaration in Sources says what it is, in a doc comment that a stranger understands.

Documented. A public type, function, initialiser, subscript, property or type alias, a requirement of a public protocol and a
case of a public enumeration has a `///` comment above it; only attributes stand between. Three kinds need none of their own:
* a property directly below another property, without a blank line, when the comment above the first one names it, too;
* a case that the comment of its enumeration, or of the case directly above it, names;
* a witness: a member that a protocol asks for which its type declares to conform to, in Sources (where the requirement is
  documented) or in the standard library (WITNESSES).
A name counts as named where it stands in the comment as a word.

Throws. The comment of a public function, initialiser or throwing property has a line `- Throws:`.

Beginnings. No comment begins with "Of ", and no doc comment with a pronoun whose noun the reader has to guess."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2] / "Sources"

# Members that protocols of the standard library ask for.
WITNESSES = {
    "Equatable": {"==(_:_:)"},
    "Hashable": {"==(_:_:)", "hash(into:)"},
    "Comparable": {"==(_:_:)", "<(_:_:)"},
    "CustomStringConvertible": {"description"},
    "IteratorProtocol": {"next()"},
    "Sequence": {"makeIterator()"},
    "RandomNumberGenerator": {"next()"},
    "ExpressibleByBooleanLiteral": {"init(booleanLiteral:)"},
    "ExpressibleByStringLiteral": {"init(stringLiteral:)"},
    "ExpressibleByFloatLiteral": {"init(floatLiteral:)"},
    "ExpressibleByIntegerLiteral": {"init(integerLiteral:)"},
    "ExpressibleByArrayLiteral": {"init(arrayLiteral:)"},
    "ExpressibleByDictionaryLiteral": {"init(dictionaryLiteral:)"},
    "ExpressibleByNilLiteral": {"init(nilLiteral:)"},
}
PRONOUN = re.compile(r"(?:Those|These|This|That|They|It|Its|Their|Such|Same|The same|The ones?)\b")

TYPES = "struct|class|enum|protocol|extension|actor"
MEMBERS = "func|init|var|let|subscript|typealias|associatedtype|case"
DECLARATION = re.compile(
    r"\s*(?:@\w+(?:\([^)]*\))?\s+)*"
    r"(?P<modifiers>(?:(?:public|package|internal|fileprivate|private|static|final|class|mutating|nonmutating|override|convenience|required|lazy|weak"
    r"|unowned|indirect|nonisolated|consuming|borrowing|prefix|postfix|infix)(?:\(\w+\))?\s+)*)"
    rf"(?P<kind>{TYPES}|{MEMBERS})\b[?!]?\s*(?P<name>[\w.`]+|[^\s\w({{<]+|<(?=\s*[(<]))?"
)
GETTER = re.compile(r"\{\s*get(?:\s+async)?\s+throws\b")
CONTINUED = re.compile(r"\s*(?:throws|rethrows|async|->|where|\{|\)|:|,)")


def blanked(text):
    """The text with comments, and what stands between the quotes of strings, as spaces, so that what is left is code."""
    out = list(text)
    i = 0
    # Each open string: its delimiter, and the parentheses open in the interpolation that the scanner is within.
    strings = []
    while i < len(text):
        inside = strings and strings[-1][1] == 0
        if inside:
            delimiter = strings[-1][0]
            if text.startswith("\\(", i):
                strings[-1][1] = 1
                out[i : i + 2] = "  "
                i += 2
            elif text[i] == "\\":
                out[i] = " "
                if text[i + 1] != "\n":
                    out[i + 1] = " "
                i += 2
            elif text.startswith(delimiter, i):
                strings.pop()
                i += len(delimiter)
            else:
                if text[i] != "\n":
                    out[i] = " "
                i += 1
        elif text.startswith("//", i):
            end = text.find("\n", i)
            end = len(text) if end < 0 else end
            out[i:end] = " " * (end - i)
            i = end
        elif text[i] == '"':
            delimiter = '"""' if text.startswith('"""', i) else '"'
            strings.append([delimiter, 0])
            i += len(delimiter)
        else:
            if strings:
                strings[-1][1] += {"(": 1, ")": -1}.get(text[i], 0)
                out[i] = "\n" if text[i] == "\n" else " "
            i += 1
    return "".join(out)


def outside_parentheses(text):
    """The text without what stands in parentheses or brackets."""
    depth, kept = 0, []
    for character in text:
        depth -= character in ")]"
        if depth == 0:
            kept.append(character)
        depth += character in "(["
    return "".join(kept)


def labels(header):
    """The argument labels of a function's header, as "(a:_:)"; nothing where it has no parameters at all."""
    start = header.find("(")
    if start < 0:
        return ""
    depth, parts, part = 0, [], ""
    for character in header[start:]:
        depth += character in "([{<"
        if character == ")" and depth == 1:
            break
        if character == "," and depth == 1:
            parts.append(part)
            part = ""
        elif not (character == "(" and depth == 1 and not part):
            part += character
        depth -= character in ")]}>" and not part.endswith("->")
    parts.append(part)
    return "(" + "".join(p.split()[0].rstrip(":") + ":" for p in parts if p.strip()) + ")"


def head(text):
    """What stands before the body: the text up to the first brace outside parentheses."""
    depth = 0
    for k, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if character == "{" and depth == 0:
            return text[:k]
    return text


class Declaration:
    """A type or a member: where it is, what it is called, and what its comment says."""

    def __init__(self, path, line, match, header, owner):
        self.path, self.line, self.owner = path, line, owner
        self.kind, self.modifiers = match["kind"], match["modifiers"].split()
        self.name = self.kind if self.kind in ("init", "subscript") else (match["name"] or "").strip("`")
        rest = header[match.end("kind") :]
        self.signature = self.name
        if self.kind in ("func", "init", "subscript"):
            given = labels(rest)
            # Operators have no labels.
            self.signature += given if re.match(r"\w", self.name) else re.sub(r"\w+:", "_:", given)
        self.names = self.declared(rest) if self.kind in ("case", "let", "var") else [self.name]
        plain = outside_parentheses(rest)
        self.throws = re.search(r"\bthrows\b", plain) is not None
        clause = re.split(r"\bwhere\b", plain)[0].partition(":")[2]
        self.conforms = re.findall(r"[\w.]+", clause) if self.is_type else []
        self.comment, self.group, self.end = [], [], line

    @property
    def is_type(self):
        return self.kind in TYPES.split("|")

    @staticmethod
    def declared(rest):
        """The names that a line of cases or properties declares, of which there can be several."""
        if rest.lstrip().startswith("("):
            return re.findall(r"\w+", rest[rest.index("(") + 1 : rest.index(")")])
        while (plain := re.sub(r"<[^<>]*>", "", rest)) != rest:
            rest = plain
        return re.findall(r"(?:^|,)\s*`?(\w+)", outside_parentheses(rest))

    @property
    def public(self):
        if "private" in self.modifiers or "fileprivate" in self.modifiers:
            return False
        if self.owner and self.owner.kind in ("protocol", "extension") and "public" in self.owner.modifiers:
            return True
        return self.owner.public if self.kind == "case" else "public" in self.modifiers


def header_end(code, row):
    """The last line of the declaration that begins in a row, its body left out."""
    last = row
    while last + 1 < len(code):
        text = "\n".join(code[row : last + 1])
        complete = text.count("(") == text.count(")") and not text.rstrip().endswith((",", "=", "->", ":"))
        if head(text) != text or complete and not CONTINUED.match(code[last + 1]):
            break
        last += 1
    return last


def comment_above(lines, code, row):
    """The lines of the doc comment above a row; attributes may stand between."""
    above = row - 1
    while above >= 0 and code[above].lstrip().startswith("@"):
        above -= 1
    end = above
    while above >= 0 and lines[above].lstrip().startswith("///"):
        above -= 1
    return [line.strip()[3:].strip() for line in lines[above + 1 : end + 1]]


def declarations(path):
    """Declarations of a file that are not local, in order."""
    text = path.read_text()
    lines, code = text.splitlines(), blanked(text).splitlines()
    # The open braces: the type that each belongs to, or None for the body of something else.
    found, scopes, row = [], [], 0
    while row < len(code):
        match = DECLARATION.match(code[row]) if None not in scopes else None
        last = header_end(code, row) if match else row
        opening = None
        if match:
            header = head("\n".join(code[row : last + 1]))
            if GETTER.match("\n".join(code[row : last + 2])[len(header) :]):
                header += " throws"
            declaration = Declaration(path, row + 1, match, header, scopes[-1] if scopes else None)
            declaration.comment, declaration.end = comment_above(lines, code, row), last + 1
            found.append(declaration)
            opening = declaration if declaration.is_type else None
        for character in "".join(code[row : last + 1]):
            if character == "{":
                scopes.append(opening)
                opening = None
            elif character == "}":
                scopes.pop()
        row = last + 1
    return found


def named(name, comment):
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", " ".join(comment)) is not None


def shared(declaration, previous):
    """The comment that a declaration shares with those directly above it; nothing where there is none."""
    if declaration.comment or previous is None or previous.end + 1 != declaration.line or previous.owner is not declaration.owner:
        return declaration.comment
    properties = ("let", "var")
    if declaration.kind == previous.kind == "case" or (declaration.kind in properties and previous.kind in properties):
        return previous.group
    return []


def conformances(everything):
    """For each type's name the protocols that it declares to conform to, those of protocols included."""
    direct = {}
    for declaration in everything:
        if declaration.is_type:
            direct.setdefault(declaration.name, set()).update(declaration.conforms)
    closed = {}
    for name in direct:
        # A protocol's own extensions have the defaults of what it asks for.
        reached, waiting = {name}, [name]
        while waiting:
            for protocol in direct.get(waiting.pop(), ()):
                if protocol not in reached:
                    reached.add(protocol)
                    waiting.append(protocol)
        closed[name] = reached
    return closed


def faults_of(everything):
    conforms = conformances(everything)
    asked = {name: set(members) for name, members in WITNESSES.items()}
    for declaration in everything:
        if declaration.owner and declaration.owner.kind == "protocol":
            asked.setdefault(declaration.owner.name, set()).add(declaration.signature)
    previous = None
    for declaration in everything:
        declaration.group = shared(declaration, previous)
        previous = declaration
        if declaration.comment and (pronoun := PRONOUN.match(declaration.comment[0])):
            yield declaration, f'the comment of {declaration.signature} begins with "{pronoun[0]}"; begin with the noun'
        if declaration.kind == "extension" or not declaration.public:
            continue
        owner = declaration.owner
        witness = owner is not None and owner.kind != "protocol" and any(
            declaration.signature in asked.get(protocol, ()) for protocol in conforms.get(owner.name, ())
        )
        if witness and not declaration.comment:
            continue
        for name in declaration.names:
            own = declaration.comment and len(declaration.names) == 1
            by_owner = declaration.kind == "case" and named(name, owner.comment)
            if not (own or by_owner or named(name, declaration.group)):
                yield declaration, f"{declaration.kind} {name or declaration.signature} has no doc comment"
        if declaration.throws and declaration.group and not any(line.startswith("- Throws:") for line in declaration.comment):
            yield declaration, f'{declaration.signature} throws; its comment has no line "- Throws:"'


def main():
    everything, faults = [], []
    for path in sorted(ROOT.rglob("*.swift")):
        everything += declarations(path)
        before = ""
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not before.startswith("//") and re.search(r"(?:^|\s)///? Of ", line):
                faults.append((path, number, 'a comment begins with "Of "; begin with the noun'))
            before = line.strip()
    faults += [(declaration.path, declaration.line, what) for declaration, what in faults_of(everything)]
    for path, line, what in sorted(faults):
        print(f"{path.relative_to(ROOT.parent)}:{line}: {what}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
