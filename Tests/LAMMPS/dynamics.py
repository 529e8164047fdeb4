"""Long runs, which `make soak` makes: a million steps at constant temperature must stay in order, energy must be conserved, and
atoms nearer than in the training data must repel each other. For potentials of the ions of LiCl: pairs, pairs with triplets, and
pairs with a network, trained here, and the published NequIP model where it is beside the checkout. Prints the table of
docs/pair_diffnnp.md.

    dynamics.py [--steps N] [NAME ...]    N instead of 1000000, a quarter of which are run at constant energy
"""

import argparse
import pathlib
import re
import subprocess
import sys

import ase.io
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Support"))
import models
from library import Evaluator

BUILD = models.ROOT / ".build" / "release"
EXAMPLE = models.ROOT / "examples" / "licl"
WORK = models.ROOT / ".build" / "soak"
# Of the size of the published model for LiCl.
NETWORK = {"features": 8, "layers": 2, "l_max": 1, "r_max": 6, "steps": 400}
PUBLISHED = models.ROOT.parent / "shared" / "data" / "nequip-licl" / "weights.safetensors"
MODELS = {"pairs": ["--set=triplets=false"], "pairs and triplets": []}
MODELS |= {"pairs and network": [f"--set=network.{key}={value}" for key, value in NETWORK.items()]}
if PUBLISHED.exists():
    MODELS["published network"] = None

START = """
units metal
atom_style atomic
read_data {data}
pair_style diffnnp precision {precision} extrapolation every 100 warn none
pair_coeff * * {model} Li Cl
neigh_modify every 1 delay 0 check yes
velocity all create 300.0 4928 dist gaussian
compute largest all pair diffnnp
thermo_style custom step temp etotal c_largest[1]
thermo_modify format float %.12g
thermo 100
fix 1 all nve
# Without `zero yes`, which for atoms of different masses changes their temperatures: the centre of mass moves, and is counted.
fix 2 all langevin 300.0 300.0 0.5 4928
compute_modify thermo_temp extra/dof 0
timestep 0.004
"""
CONSTANT_ENERGY = "run 5000\nunfix 2\ntimestep {timestep}\nrun {steps}\n"


def make(name, options):
    path = WORK / (name.replace(" ", "-") + ".safetensors")
    command = [BUILD / "diffnnp", "import-nequip", PUBLISHED, "-o", path]
    if options is not None:
        command = [BUILD / "diffnnp", "train", EXAMPLE / "frames.extxyz.gz", "--temperature", "300", "-o", path, *options]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return path


def run(script, model, **values):
    """Thermodynamic output of the last run of a script: step, temperature, energy, largest extrapolation grade."""
    (WORK / "in").write_text((START + script).format(data=EXAMPLE / "start.data", model=model, **values))
    command = [BUILD / "lmp-diffnnp", "-in", "in", "-log", "none"]
    process = subprocess.run(command, cwd=WORK, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if process.returncode != 0:
        sys.exit(f"failed: LAMMPS stopped: {process.stdout.splitlines()[-1]}")
    table = re.split(r"^ *Step .*$", process.stdout, flags=re.M)[-1].split("Loop time")[0]
    return np.array([row.split() for row in table.splitlines() if len(row.split()) == 4], float)


def least_repulsion(model):
    """The smallest force (kT/A) by which two atoms repel that are brought to 0.1 ... 0.95 of the smallest distance of their types
    in the training frames, along the line between them: the nearest two of each pair of types, in some frames."""
    evaluate = Evaluator(model)
    frames = ase.io.read(EXAMPLE / "frames.extxyz.gz", index=":", format="extxyz")
    least = np.inf
    for a, b in [(3, 3), (3, 17), (17, 17)]:
        nearest = []
        for frame in frames:
            distances = frame.get_all_distances(mic=True) + 99 * np.eye(len(frame))
            distances[(frame.numbers[:, None] != a) | (frame.numbers != b)] = 99
            nearest.append((distances.min(), *np.unravel_index(distances.argmin(), distances.shape)))
        smallest = min(nearest)[0]
        for frame, (_, i, j) in list(zip(frames, nearest))[::25]:
            vector = frame.get_distance(i, j, mic=True, vector=True)
            middle, direction = frame.positions[i] + vector / 2, vector / np.linalg.norm(vector)
            for part in [0.95, 0.9, 0.8, 0.65, 0.5, 0.3, 0.1]:
                positions = frame.positions.copy()
                positions[[i, j]] = middle + np.outer([-0.5, 0.5], part * smallest * direction)
                forces = evaluate(positions, (frame.numbers == 17).astype(int), frame.cell.array)[1]
                least = min(least, (forces[j] - forces[i]) @ direction / 2 / 0.0258520)
    return least


def drift(rows, timestep, atoms=48):
    """Slope of the energy (meV for an atom and ns), its standard error from blocks, and rms about the line (meV for an atom)."""
    time, energy = rows[:, 0] * timestep / 1000, rows[:, 2] * 1000 / atoms
    slope, start = np.polyfit(time, energy, 1)
    rest = energy - slope * time - start
    # Slopes of eight pieces tell how far the slope of the whole is one of chance.
    pieces = [np.polyfit(t, e, 1)[0] for t, e in zip(np.array_split(time, 8), np.array_split(rest, 8))]
    return slope, np.std(pieces) / 8**1.5, rest.std()


def tell(text):
    """Beside the table."""
    print(text, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("names", nargs="*", default=MODELS)
    arguments = parser.parse_args()
    steps = arguments.steps
    WORK.mkdir(parents=True, exist_ok=True)
    failed = False
    print("| potential | precision | timestep | drift (meV/atom/ns) | rms (meV/atom) |\n|---|---|---|---|---|")
    for name in arguments.names:
        options = MODELS[name]
        # The published model has holes: what becomes of it is told, not judged.
        is_ours = options is not None
        model = make(name, options)
        # Pairs and triplets are in double precision either way.
        for precision in ["single", "double"] if "network" in name else ["double"]:
            for timestep in [0.004, 0.001]:
                rows = run(CONSTANT_ENERGY, model, precision=precision, timestep=timestep, steps=steps // 4)
                slope, error, rms = drift(rows, timestep)
                print(f"| {name} | {precision} | {1000 * timestep:g} fs | {slope:.3f} ± {error:.3f} | {rms:.2g} |", flush=True)
                failed |= is_ours and abs(slope) > 1 + 3 * error
        if is_ours:
            repulsion = least_repulsion(model)
            tell(f"{name}: below the smallest distances of the frames, atoms repel by at least {repulsion:.0f} kT/A")
            failed |= not repulsion > 0
        rows = run("run {steps}\n", model, precision="single", steps=steps)
        temperature, grade = rows[len(rows) // 20 :, 1].mean(), rows[:, 3].max()
        tell(f"{name}: {steps} steps of 4 fs at 300 K: {temperature:.1f} K, largest extrapolation grade {grade:.2f}")
        failed |= is_ours and (abs(temperature - 300) > 3 or grade > 4)
    if failed:
        sys.exit("failed: see above")


if __name__ == "__main__":
    main()
