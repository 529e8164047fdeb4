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


class Deviations(Watch):
    """Of the members of an ensemble."""

    def table(self, run_options, ranks, newton="on"):
        path = self.folder / "deviation"
        script = setup(newton) + self.pair_style(f"deviation file {path} {run_options}")
        script += "compute watched all pair diffnnp\nthermo_style custom step pe c_watched[2]\n" + NVE + "run 6\n"
        script += printed("largest", "c_watched[2]")
        run = self.run_lammps(script, ranks)
        self.assertIn("ensemble of 3", run.output)
        head, *rows = path.read_text().splitlines()
        names = ["#", "step"] + [f"{which}_devi_{what}" for what in "vf" for which in ["max", "min", "avg"]]
        self.assertEqual(head.split(), names)
        rows = np.array([row.split() for row in rows], float)
        self.assert_close(rows[-1, 4], run.values["largest"], 1e-6)
        return rows

    def test_agrees_with_the_members(self):
        forces = self.case.member_forces
        deviations = np.sqrt(((forces - forces.mean(0)) ** 2).sum(2).mean(0))
        for newton, ranks in [("on", 1), ("on", 4), ("off", 2)]:
            rows = self.table("every 3", ranks, newton)
            self.assertEqual(rows[:, 0].tolist(), [0, 3, 6])
            self.assert_close(rows[0, 4:], [deviations.max(), deviations.min(), deviations.mean()], 1e-6)
            if not self.case.has_network:
                virials = self.case.member_virials[:, [0, 1, 2, 3, 4, 5, 3, 4, 5]] / len(self.case.types)
                spread = virials.std(0)
                self.assert_close(rows[0, 1:4], [spread.max(), spread.min(), np.sqrt((spread**2).mean())], 1e-6)

    def test_forces_of_first_or_mean(self):
        dump = "dump 1 all custom 1 forces.dump id fx fy fz\ndump_modify 1 sort id format float %.17g\nrun 0\n"
        for options, expected in [("deviation forces mean", self.case.member_forces.mean(0)), ("", self.case.forces)]:
            for ranks in [1, 2]:
                run = self.run_lammps(setup() + self.pair_style(options) + dump, ranks)
                self.assert_close(run.dumps["forces"][:, 1:], expected, 1e-9)

    def test_models_of_one_member(self):
        path = self.folder / "ungraded.safetensors"
        models.CASES["ungraded"]().save(path)
        for options in ["every 10", "forces mean"]:
            self.assert_refused(self.pair_style("deviation " + options, path), "one member", "diffnnp train --members")

    def test_bad_options(self):
        for options, word in [("", "every N"), ("every", "every of deviation is ''"), ("forces both", "'both'"), ("file", "needs a name")]:
            self.assert_refused(self.pair_style("deviation " + options), word)


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite()
    for lammps in [DEBIAN, PYPI]:
        limits = "pair" if lammps is DEBIAN else "sum"
        ensemble = "ensemble_sum" if lammps is DEBIAN else "ensemble"
        for name, mixin in [("pair", Grades), ("sum", Grades), (limits, Limits), (ensemble, Deviations)]:
            kind = type(f"{lammps.name}.{name}.{mixin.__name__}", (mixin, unittest.TestCase), {})
            kind.lammps, kind.case = lammps, models.CASES[name]()
            suite.addTests(loader.loadTestsFromTestCase(kind))
    return suite
