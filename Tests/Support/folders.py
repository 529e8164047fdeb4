"""Within a module, folders use only those below them: no file names a type that is declared in another folder than its own and
those listed for it here. So nothing that all terms of a potential stand on, or that sums them up, knows one of them by name."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2] / "Sources"
TERMS = ["Terms/Pair", "Terms/Triplet", "Terms/Network"]
GROUND = ["Numerics", "Files", "Geometry", "Terms"]
# What the objective of a linear model and the refinement stand on: they know no family of functions by name.
LEARNING = ["Numerics", "Ranks", "Data", "Features", "Moves"]

# Folder: those below it. Files beside the folders, such as errors, are for all.
ALLOWED = {
    "DiffNNP": {
        "Numerics": [],
        "Files": ["Numerics"],
        "Geometry": ["Numerics"],
        "Terms": ["Numerics", "Files", "Geometry"],
        **{term: GROUND for term in TERMS},
        "Potential": GROUND,
    },
    "DiffNNPTraining": {
        "Numerics": [],
        "Ranks": ["Numerics"],
        "Data": [],
        "Features": ["Numerics"],
        "Features/Pairs": ["Numerics", "Features"],
        "Features/Triplets": ["Numerics", "Features", "Features/Pairs"],
        "Moves": ["Features"],
        "Likelihood": LEARNING,
        "Scores": [*LEARNING, "Likelihood", "Features/Pairs"],
        "Forces": [*LEARNING, "Likelihood", "Features/Pairs", "Scores"],
        "Fit": [*LEARNING, "Likelihood", "Features/Pairs", "Features/Triplets", "Scores", "Forces"],
        "Network": ["Numerics", "Ranks", "Data", "Fit"],
        "Refinement": [*LEARNING, "Likelihood", "Fit", "Network"],
    },
    "DiffNNPAnalysis": {
        "System": [],
        "Structure": ["System"],
        "LAMMPS": ["System"],
        "Plotting": ["System", "Structure"],
        "Reports": ["System", "Plotting"],
        "Validation": ["System", "Structure", "LAMMPS", "Plotting", "Reports"],
    },
    "DiffNNPCommandLine": {"Configuration": [], "Training": ["Configuration"]},
    "DiffNNPLab": {"Noise": [], "NoiseScan": ["Noise"], "Study": []},
}
# The one place that lists the terms.
EXEMPT = {"DiffNNP/Terms/TermRegistry.swift"}

COMMENT = re.compile(r"//.*|\"(?:[^\"\\]|\\[^(])*\"")
DECLARED = re.compile(r"^(?:@\w+(?:\([^)]*\))? )*(?:public |package )?(?:final |indirect )?(?:struct|class|enum|protocol|typealias) (\w+)", re.MULTILINE)
WORD = re.compile(r"\b[A-Z]\w*\b")


def code(path):
    return COMMENT.sub("", path.read_text())


def main():
    complaints = []
    for module, allowed in ALLOWED.items():
        files = {folder: sorted((ROOT / module / folder).glob("*.swift")) for folder in allowed}
        known = {path for paths in files.values() for path in paths}
        strays = [path for path in (ROOT / module).rglob("*.swift") if path not in known and path.parent != ROOT / module]
        complaints += [f"{path.relative_to(ROOT)} is in a folder that {pathlib.Path(__file__).name} does not know" for path in strays]
        home = {name: folder for folder, paths in files.items() for path in paths for name in DECLARED.findall(code(path))}
        for folder, paths in files.items():
            for path in paths:
                if str(path.relative_to(ROOT)) in EXEMPT:
                    continue
                used = {name for name in WORD.findall(code(path)) if name in home}
                complaints += [
                    f"{path.relative_to(ROOT)} uses {name} of {home[name]}, which is not below {folder}"
                    for name in sorted(used)
                    if home[name] != folder and home[name] not in allowed[folder]
                ]
    print("\n".join(complaints), end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
