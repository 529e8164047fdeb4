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

# What must be refused.
np.savez("no_cell.npz", R=R, z=z)
np.savez("big_endian.npz", R=R.astype(">f8"), z=z, cell=cell)
np.savez("fortran.npz", R=np.asfortranarray(R), z=z, cell=cell)
np.savez("wrong_shape.npz", R=R[:, :, :2], z=z, cell=cell)
np.savez("unknown_element.npz", R=R, z=[3, 3, 170], cell=cell)
np.savez("degenerate.npz", R=R, z=z, cell=np.ones((3, 3)))
broken = R.copy()
broken[1, 2, 0] = np.nan
np.savez("nan.npz", R=broken, z=z, cell=cell)
broken = R.copy()
broken[2, 1] = broken[2, 0] + cell[2]
np.savez("coincident.npz", R=broken, z=z, cell=cell)
