"""Pair-only weight files for tests, and their energy and forces by a plain formula: independent of the library."""

import json

import numpy as np
from safetensors.numpy import save_file


def checksum(metadata, tensors):
    """The checksum of docs/FORMAT.md."""
    h = 0xCBF29CE484222325
    data = b""
    for key, value in sorted(metadata.items(), key=lambda item: item[0].encode()):
        data += key.encode() + b"\0" + value.encode() + b"\0"
    for name in sorted(tensors, key=str.encode):
        tensor = tensors[name]
        data += name.encode() + b"\0" + ",".join(map(str, tensor.shape)).encode() + b"\0"
        data += np.ascontiguousarray(tensor, "<f8").tobytes()
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return f"fnv1a64:{h:016x}"


class PairModel:
    """u_ab(r) = sum_k c_abk B(r/h - k + 3), with cubic B-splines B, in units of `energy_scale` (eV)."""

    def __init__(self, type_names, r_max, coefficients, energy_scale, temperature):
        self.type_names = list(type_names)
        self.r_max = r_max
        self.coefficients = np.asarray(coefficients, float)  # [pairs][intervals]
        self.energy_scale = energy_scale
        self.temperature = temperature

    @classmethod
    def licl(cls):
        """Charged soft spheres: something like ions, with no symmetry between the types."""
        r_max, intervals = 8.0, 40
        r = (np.arange(intervals) - 1) * r_max / intervals
        rows = [
            a * np.exp(-r / 0.45) + q * np.exp(-r / 2) * (1 - r / r_max) ** 2
            for a, q in [(900, 30), (1500, -35), (4000, 25)]
        ]
        return cls(["Li", "Cl"], r_max, rows, 0.025852, 300.0)

    def save(self, path):
        tensors = {"pair.coefficients": self.coefficients}
        metadata = {
            "format": "diffnnp",
            "format_version": "1",
            "energy_unit": "eV",
            "length_unit": "Angstrom",
            "type_names": json.dumps(self.type_names),
            "energy_scale": repr(self.energy_scale),
            "r_max": repr(self.r_max),
            "pair": json.dumps({"r_max": self.r_max, "intervals": self.coefficients.shape[1]}),
            "temperature": repr(self.temperature),
        }
        metadata["checksum"] = checksum(metadata, tensors)
        save_file(tensors, path, metadata)

    def _row(self, a, b):
        n = len(self.type_names)
        low, high = min(a, b), max(a, b)
        return low * n - low * (low - 1) // 2 + (high - low)

    def _value(self, row, r):
        """Energy and slope at r < r_max."""
        intervals = self.coefficients.shape[1]
        h = self.r_max / intervals
        c = np.append(self.coefficients[row], [0, 0, 0])
        m = min(int(r / h), intervals - 1)
        t = r / h - m
        b = np.array([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
        d = np.array([-((1 - t) ** 2), 3 * t**2 - 4 * t, -3 * t**2 + 2 * t + 1, t**2]) / 2
        return c[m : m + 4] @ b, c[m : m + 4] @ d / h

    def evaluate(self, positions, types, cell=None):
        """Atom energies (eV), forces (eV/A) and virial xx yy zz xy xz yz (eV); `cell` is fully periodic, or None."""
        positions, types = np.asarray(positions, float), np.asarray(types)
        shifts = np.zeros((1, 3))
        if cell is not None:
            heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
            counts = np.ceil(self.r_max / heights).astype(int) + 1
            shifts = np.array(list(np.ndindex(*(2 * counts + 1)))) - counts
            shifts = shifts @ np.asarray(cell, float)
            positions = positions - np.floor(positions @ np.linalg.inv(cell)) @ np.asarray(cell, float)
        energies, forces = np.zeros(len(types)), np.zeros((len(types), 3))
        virial = np.zeros((3, 3))
        for i in range(len(types)):
            for j in range(len(types)):
                vectors = positions[j] + shifts - positions[i]
                lengths = np.linalg.norm(vectors, axis=1)
                for k in np.nonzero((lengths < self.r_max) & (lengths > 0))[0]:
                    u, slope = self._value(self._row(types[i], types[j]), lengths[k])
                    energies[i] += 0.5 * u
                    gradient = slope * vectors[k] / lengths[k]
                    forces[i] += gradient
                    virial -= 0.5 * np.outer(vectors[k], gradient)
        s = self.energy_scale
        return s * energies, s * forces, s * virial[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]


if __name__ == "__main__":
    import sys

    PairModel.licl().save(sys.argv[1])
