"""libdiffnnp.so as Python sees it: energies, forces and virials of configurations, without LAMMPS."""

import ctypes

import numpy as np

import models

LIBRARY = models.ROOT / ".build" / "release" / "libdiffnnp.so"
DOUBLES = ctypes.POINTER(ctypes.c_double)
INTS = ctypes.POINTER(ctypes.c_int)


class PeriodicSystem(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t), ("natoms", ctypes.c_int), ("positions", DOUBLES), ("types", INTS), ("cell", DOUBLES),
        ("periodic", ctypes.c_int * 3),
    ]  # fmt: skip


class Results(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t), ("energy", ctypes.c_double), ("atom_energies", DOUBLES), ("forces", DOUBLES),
        ("virial", DOUBLES), ("atom_virials", DOUBLES), ("centroid_virials", DOUBLES), ("atom_grades", DOUBLES),
        ("max_force", ctypes.c_double),
    ]  # fmt: skip


class Evaluator:
    """Computes in double precision with a weight file."""

    def __init__(self, path):
        self.library = ctypes.CDLL(str(LIBRARY))
        self.library.diffnnp_last_error.restype = ctypes.c_char_p
        self.model, self.handle = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.library.diffnnp_model_load(str(path).encode(), ctypes.byref(self.model)))
        self.check(self.library.diffnnp_evaluator_create(self.model, 1, ctypes.byref(self.handle)))

    def __del__(self):
        self.library.diffnnp_evaluator_free(self.handle)
        self.library.diffnnp_model_free(self.model)

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.library.diffnnp_last_error().decode())

    def __call__(self, positions, types, cell):
        """Energy (eV), forces [n][3] (eV/A) and virial xx yy zz xy xz yz (eV)."""
        positions, cell = np.ascontiguousarray(positions, float), np.ascontiguousarray(cell, float)
        types = np.ascontiguousarray(types, np.int32)
        forces, virial = np.zeros_like(positions), np.zeros(6)
        system = PeriodicSystem(
            ctypes.sizeof(PeriodicSystem), len(types), positions.ctypes.data_as(DOUBLES), types.ctypes.data_as(INTS),
            cell.ctypes.data_as(DOUBLES), (ctypes.c_int * 3)(1, 1, 1),
        )  # fmt: skip
        results = Results(ctypes.sizeof(Results))
        results.forces, results.virial = forces.ctypes.data_as(DOUBLES), virial.ctypes.data_as(DOUBLES)
        self.check(self.library.diffnnp_compute_periodic(self.handle, ctypes.byref(system), ctypes.byref(results)))
        return results.energy, forces, virial
