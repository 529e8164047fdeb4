"""Every target of Package.swift depends on all that its files import. One that does not is left as it is when an imported
module changes, goes on with types as they were before, and corrupts memory."""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMPORT = re.compile(r"^(?:@\w+ )*import (\w+)", re.MULTILINE)


def main():
    package = json.loads(subprocess.check_output(["swift", "package", "dump-package"], cwd=ROOT))
    # Modules are called like their targets, with underscores.
    names = {target["name"].replace("-", "_"): target["name"] for target in package["targets"]}
    missing = []
    for target in package["targets"]:
        folder = ROOT / ("Tests" if target["type"] == "test" else "Sources") / target["name"]
        declared = {dependency["byName"][0] for dependency in target["dependencies"]}
        imported = {name for path in folder.rglob("*.swift") for name in IMPORT.findall(path.read_text())}
        undeclared = {names[name] for name in imported if name in names} - declared - {target["name"]}
        missing += [f"{target['name']} imports {name}; add it to its dependencies" for name in sorted(undeclared)]
    print("\n".join(missing), end="\n" if missing else "")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
