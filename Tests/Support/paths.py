"""Every file and folder of the repository that the documents name is there."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "ARCHITECTURE.md", ROOT / "docs" / "CONVENTIONS.md", ROOT / "docs" / "FORMAT.md"]
NAMED = re.compile(r"`((?:Sources|Tests|include|lammps-plugin|examples|docs|scripts|python)/[\w./+-]*|[\w+-]+(?:/[\w+-]+)+\.\w+)`")


def main():
    complaints = []
    for document in DOCUMENTS:
        for number, line in enumerate(document.read_text().split("\n"), 1):
            for name in NAMED.findall(line):
                if not any((folder / name).exists() for folder in [ROOT, ROOT / "Sources", *(ROOT / "Sources").iterdir()]):
                    complaints.append(f"{document.relative_to(ROOT)}:{number} names {name}, which is not there")
    print("\n".join(complaints), end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
