"""Lint of the C ABI: the header against the library's symbols, every function documented, the library self-contained.

Prints "N passed, N failed"."""

import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
header = root / "include" / "diffnnp.h"
library = root / ".build" / "release" / "libdiffnnp.so"
allowed = {"libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
results = []


def check(good, what):
    results.append(bool(good))
    if not good:
        print("FAILED:", what)


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def declarations(text):
    """(name, documented) of each function of the header."""
    documented = False
    for line in text.splitlines():
        found = re.match(r"\S.*?\b(diffnnp_\w+)\(", line)
        if found and not line.startswith(("/", " ", "#", "typedef")):
            yield found.group(1), documented
        documented = line.rstrip().endswith("*/") and "---" not in line


text = header.read_text()
functions = dict(declarations(text))
check(len(functions) >= 10, f"only {len(functions)} functions found in {header.name}")
for name, documented in functions.items():
    check(documented, f"{name} has no comment right above it in {header.name}")

long = [number for number, line in enumerate(text.splitlines(), 1) if len(line) > 100]
check(not long, f"lines {long} of {header.name} have more than 100 columns")
parts = [re.search(rf"#define DIFFNNP_VERSION_{part} (\d+)", text).group(1) for part in ("MAJOR", "MINOR", "PATCH")]
version = re.search(r'"(.*)"', (root / "Sources/DiffNNP/Version.swift").read_text()).group(1)
check(".".join(parts) == version, f"{header.name} is of version {'.'.join(parts)}, the library of {version}")

exported = {line.split()[-1] for line in output("nm", "-D", "-g", "--defined-only", library).splitlines()}
check(exported - functions.keys() == set(), f"exported, but not declared: {sorted(exported - functions.keys())}")
check(functions.keys() - exported == set(), f"declared, but not exported: {sorted(functions.keys() - exported)}")
check(all(name.startswith("diffnnp_") for name in exported), "an exported symbol has another prefix")

dynamic = output("readelf", "-d", library)
needed = set(re.findall(r"NEEDED.*\[(.*)\]", dynamic))
check(needed <= allowed, f"the library needs {sorted(needed - allowed)}")
check("soname: [libdiffnnp.so.1]" in dynamic, "the soname is not libdiffnnp.so.1")
check("NODELETE" in dynamic, "the library can be unloaded, which Swift code cannot")

for compiler, standard in [("cc", "c99"), ("cc", "c17"), ("c++", "c++11"), ("c++", "c++20")]:
    language = "c" if compiler == "cc" else "c++"
    command = [compiler, f"-std={standard}", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", language]
    run = subprocess.run([*command, header], capture_output=True, text=True)
    check(run.returncode == 0, f"{header.name} as {standard}: {run.stderr}")

print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
sys.exit(not all(results))
