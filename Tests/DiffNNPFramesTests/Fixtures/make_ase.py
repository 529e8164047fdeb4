"""Writes the extended XYZ fixtures with ASE: the frames of make_npz.py, in cells that grow from frame to frame."""

import gzip
import shutil

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

R = np.arange(27.0).reshape(3, 3, 3) * 0.5 + 0.25
cell = np.array([[12.0, 0, 0], [3, 11, 0], [-2, 4, 13]])

frames = []
for k in range(3):
    atoms = Atoms("Li2Cl", positions=R[k], cell=cell * (1 + k), pbc=[True, False, True])
    atoms.calc = SinglePointCalculator(atoms, energy=-1.5, forces=-R[k] / 8)
    atoms.info["note"] = "two words"
    frames.append(atoms)

write("ase.xyz", frames, format="extxyz")
with open("ase.xyz", "rb") as plain, gzip.GzipFile("ase.xyz.gz", "wb", mtime=0) as packed:
    shutil.copyfileobj(plain, packed)

# A column more, which means nothing here; no energy.
for k, atoms in enumerate(frames):
    atoms.calc = None
    atoms.arrays["forces"] = -R[k] / 8
    atoms.arrays["tag"] = np.arange(3)
write("ase_columns.xyz", frames, format="extxyz", columns=["symbols", "positions", "forces", "tag"])
