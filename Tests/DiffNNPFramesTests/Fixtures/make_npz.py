"""Writes the NPZ fixtures: three frames of two Li and one Cl, whose numbers the tests compute themselves."""

import numpy as np

frames, atoms = 3, 3
R = np.arange(27.0).reshape(frames, atoms, 3) * 0.5 + 0.25
F = -R / 8
z = np.array([3, 3, 17])
cell = np.array([[12.0, 0, 0], [3, 11, 0], [-2, 4, 13]])
pbc = np.array([True, False, True])

np.savez("stored.npz", R=R, F=F, z=z, cell=cell, pbc=pbc)
np.savez_compressed(
    "deflated.npz", R=R.astype("f4"), F=F.astype("f4"), z=z.astype("u1"), cell=cell.astype("f4"), pbc=pbc)
np.savez_compressed(
    "per_frame.npz",
    R=R,
    types=np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype="i2"),
    cell=np.stack([cell * (1 + k) for k in range(frames)]),
)
np.savez("symbols.npz", R=R, types=np.array([0, 0, 1]), symbols=np.array(["Li", "Cl"]), L=np.float64(20.0))

# The same frames in other forms.
np.savez("big_endian.npz", R=R.astype(">f8"), F=F.astype(">f4"), z=z.astype(">i2"), cell=cell.astype(">f8"), pbc=pbc)
np.savez(
    "fortran.npz", R=np.asfortranarray(R), F=np.asfortranarray(F), z=z, cell=np.asfortranarray(cell), pbc=pbc)
np.savez("leading_one.npz", R=R, F=F, z=z[None], cell=cell[None], pbc=pbc[None])
np.savez("edges.npz", R=R[:2], z=z, cell=np.array([[12.0, 11, 13], [12, 11, 14]]))
np.savez("edges_of_three.npz", R=R, z=z, cell=np.array([[12.0, 11, 13], [12, 11, 14], [12.5, 11, 14]]))
np.savez("pbc_per_frame.npz", R=R, F=F, z=z, cell=cell, pbc=np.stack([pbc] * frames))
kilocalorie = 4.184 / 96.48533212331
np.savez(
    "sgdml.npz", R=R / 10, F=F * 10 / kilocalorie, z=z, cell=cell / 10, pbc=pbc, type="d", r_unit="nm", e_unit="kcal/mol")
np.savez(
    "sgdml_bytes.npz", R=R, F=F / kilocalorie, z=z, cell=cell, pbc=pbc, r_unit=np.bytes_("Ang"), e_unit=np.bytes_("kcal/mol"))
np.savez("REF_forces.npz", R=R, REF_forces=F, z=z, cell=cell, pbc=pbc)

# Ways to say what the atoms are, Li Li Cl.
species = {
    "atom_symbols": dict(types=[0, 0, 1], symbols=["Li", "Li", "Cl"]),
    "symbols_alone": dict(symbols=["Li", "Li", "Cl"]),
    "symbols_per_frame": dict(symbols=[["Li", "Li", "Cl"]] * 3),
    "beads": dict(z=[0, 0, 0], types=[0, 0, 1], symbols=["Li", "Cl"]),
    "from_one": dict(types=[1, 1, 2]),
    "from_one_named": dict(types=[1, 1, 2], symbols=["Li", "Cl"]),
    # And what contradicts itself.
    "z_merges": dict(z=[6, 6, 6], types=[0, 0, 1]),
    "symbols_merge": dict(symbols=["C", "C", "C"], types=[0, 0, 1]),
    "z_against_symbols": dict(z=[3, 3, 17], types=[0, 0, 1], symbols=["Cl", "Li"]),
    "symbols_twice": dict(types=[0, 0, 1], symbols=["Li", "Li"]),
    "unclear_start": dict(types=[1, 1, 2], symbols=["Li", "Cl", "Na", "K"]),
    "atoms_or_types": dict(types=[2, 0, 1], symbols=["Li", "Cl", "Na"]),
}
for name, arrays in species.items():
    np.savez(f"species_{name}.npz", R=R, cell=cell, **{key: np.array(value) for key, value in arrays.items()})

# What must be refused.
np.savez("no_cell.npz", R=R, z=z)
np.savez("bad_unit.npz", R=R, z=z, cell=cell, r_unit="furlong")
np.savez("wrong_shape.npz", R=R[:, :, :2], z=z, cell=cell)
np.savez("unknown_element.npz", R=R, z=[3, 3, 170], cell=cell)
np.savez("degenerate.npz", R=R, z=z, cell=np.arange(1.0, 4)[:, None] * np.ones(3))
broken = R.copy()
broken[1, 2, 0] = np.nan
np.savez("nan.npz", R=broken, z=z, cell=cell)
broken = R.copy()
broken[2, 1] = broken[2, 0] + cell[2]
np.savez("coincident.npz", R=broken, z=z, cell=cell)
